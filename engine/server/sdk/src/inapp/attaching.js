// Keeps a tooltip at an element of the page, also one that comes later or moves.

const GAP_PX = 12;
const EDGE_PX = 8;

const find = (selector) => {
  try {
    const found = document.querySelector(selector);
    return found && found.getClientRects().length ? found : null;
  } catch {
    return null; // no selector
  }
};

// `begin` is called once the element is there. Returns how to let go.
export const attach = (box, selector, begin) => {
  let target = null;
  let frame = 0;
  let isBegun = false;

  const put = () => {
    frame = 0;
    if (!target || !target.isConnected) target = find(selector);
    box.hidden = !target;
    if (!target) return;
    if (!isBegun) {
      isBegun = true;
      begin();
    }
    const at = target.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = box;
    const { clientWidth } = document.documentElement;
    const isBelow = at.bottom + GAP_PX + height <= innerHeight || at.top < height + GAP_PX;
    const middle = at.left + at.width / 2;
    const left = Math.max(EDGE_PX, Math.min(middle - width / 2, clientWidth - width - EDGE_PX));
    // By the object model: a policy forbids styles in texts, and not these.
    box.style.left = `${left}px`;
    box.style.top = `${isBelow ? at.bottom + GAP_PX : at.top - GAP_PX - height}px`;
    box.style.setProperty("--arrow", `${Math.max(18, Math.min(middle - left, width - 18))}px`);
    box.classList.toggle("below", isBelow);
  };
  const soon = () => {
    frame ||= requestAnimationFrame(put);
  };

  const changes = new MutationObserver(soon);
  changes.observe(document.body, { childList: true, subtree: true, attributes: true });
  const sizes = new ResizeObserver(soon);
  sizes.observe(document.documentElement);
  addEventListener("scroll", soon, { capture: true, passive: true });
  addEventListener("resize", soon);
  put();
  return () => {
    cancelAnimationFrame(frame);
    changes.disconnect();
    sizes.disconnect();
    removeEventListener("scroll", soon, { capture: true });
    removeEventListener("resize", soon);
  };
};
