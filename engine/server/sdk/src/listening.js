// Listening without ever standing in the page's way: passive, early, and no error gets out.

export const on = (target, types, handle) => {
  for (const type of types.split(" ")) {
    target.addEventListener(
      type,
      (event) => {
        try {
          handle(event);
        } catch {
          // A signal less; the page goes on.
        }
      },
      { capture: true, passive: true },
    );
  }
};

// The element that an event is about, inside shadow trees too.
export const targetOf = (event) => event.composedPath()[0];

export const closest = (event, selector) =>
  event.composedPath().find((one) => one.matches && one.matches(selector));

export const isVisible = () => document.visibilityState === "visible";
