// Page views, also of pages that change their address without a load.

import { page, track } from "./calls.js";
import { isVisible, on } from "./listening.js";

const TITLE_MS = 50; // routers set the title behind the address
const begins = [];
const ends = [];
let timer = 0;
let shown;

const address = () =>
  location.pathname + location.search + (/^#[!/]/.test(location.hash) ? location.hash : "");

const look = (referrer) => ({
  address: address(),
  properties: { url: location.href, path: location.pathname, search: location.search, referrer },
});

const tell = () => {
  clearTimeout(timer);
  timer = 0;
  page(undefined, { ...shown.properties, title: document.title });
};

// What comes of a page view, called at its begin, at its end, and where it may be the end.
export const around = (begin, end) => {
  begins.push(begin);
  ends.push(end);
  begin();
};

export const signal = (event, properties) =>
  track(event, { ...properties, path: shown.properties.path, url: shown.properties.url });

const end = (isOver) => {
  for (const one of ends) one(isOver);
};

const moved = (isTold) => {
  if (address() === shown.address) return;
  if (timer && isTold) tell();
  end(true);
  shown = look(shown.properties.url);
  for (const one of begins) one();
  if (isTold) timer = setTimeout(tell, TITLE_MS);
};

export const start = (isTold, leave) => {
  shown = look(document.referrer);
  if (isTold) tell();
  const later = () => moved(isTold);
  for (const name of ["pushState", "replaceState"]) {
    const original = history[name];
    history[name] = function (...given) {
      const answer = original.apply(this, given);
      try {
        later();
      } catch {
        // The page's own navigation comes first.
      }
      return answer;
    };
  }
  on(window, "popstate hashchange", later);
  on(document, "visibilitychange", () => {
    if (!isVisible()) end(false);
  });
  on(window, "pagehide", () => {
    if (timer) tell();
    end(true);
    leave();
  });
  on(window, "pageshow", (event) => {
    if (!event.persisted) return;
    for (const one of begins) one();
    if (isTold) tell();
  });
};
