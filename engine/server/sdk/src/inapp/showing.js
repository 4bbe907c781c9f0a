// Puts messages on the page: one of a kind at a time, each in a shadow tree of its own.

import { isVisible } from "../listening.js";
import { attach } from "./attaching.js";
import { card } from "./card.js";
import { sheetFor } from "./style.js";

const TOAST_MS = 8_000;
const GONE_MS = 200;
const ANNOUNCED_MS = 50;

// How long a message was on a page that somebody could see, in ms, from now on.
const stopwatch = (undoes) => {
  let before = 0;
  let since = isVisible() ? performance.now() : 0;
  const look = () => {
    if (since) before += performance.now() - since;
    since = isVisible() ? performance.now() : 0;
  };
  document.addEventListener("visibilitychange", look);
  undoes.push(() => document.removeEventListener("visibilitychange", look));
  return () => Math.round(before + (since && performance.now() - since));
};
const lines = {};

export const show = (message, report) => {
  const style = message.style || "banner";
  const line = (lines[style] ||= []);
  const entry = { message, report };
  line.push(entry);
  if (line.length === 1) start(line);
  return () => {
    const place = line.indexOf(entry);
    if (place > 0) line.splice(place, 1);
    else if (place === 0) entry.end();
  };
};

const start = (line) => {
  const [entry] = line;
  const next = () => {
    line.shift();
    if (line.length) start(line);
  };
  entry.end = next;
  SHOWN[entry.message.style || "banner"](entry, next);
};

// What all kinds have: the element, its parts, and its end.
const place = (entry, next, tag, role) => {
  const { message, report } = entry;
  const before = document.activeElement;
  const host = document.createElement("hairspring-message");
  host.dataset.style = message.style || "banner";
  const root = host.attachShadow({ mode: "open" });
  sheetFor(root);
  const box = document.createElement(tag);
  box.className = `box ${message.style || "banner"}`;
  if (role) box.setAttribute("role", role);
  let isOver = false;
  const end = (done) => {
    if (isOver) return;
    isOver = true;
    if (done) report(done, dwelled());
    const hadFocus = host.contains(document.activeElement);
    for (const undo of undoes) undo();
    box.classList.add("gone");
    const take = () => {
      if (box.close) box.close();
      host.remove();
      if (hadFocus && before && before.isConnected) before.focus();
      next();
    };
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) take();
    else setTimeout(take, GONE_MS);
  };
  const undoes = [];
  let dwelled = () => 0;
  entry.end = () => end();
  card(box, message, {
    click: (isLast) => {
      report("click", dwelled());
      if (isLast) end();
    },
    dismiss: () => end("dismiss"),
    answer: (value) => {
      report("answer", value);
      report("click", dwelled());
    },
    done: () => end(),
  });
  root.append(box);
  const seen = () => {
    dwelled = stopwatch(undoes);
    if (!message.read) report("read");
  };
  const escape = (event) => {
    if (event.key === "Escape" && !event.defaultPrevented) end("dismiss");
  };
  return { host, box, end, seen, escape, undoes };
};

const mount = ({ host, seen }) => {
  document.body.append(host);
  seen();
};

// What takes no focus is read out where it comes into a region that is there already.
const announce = (made) => {
  const inner = made.box.firstChild;
  made.box.setAttribute("aria-live", "polite");
  inner.remove();
  mount(made);
  const timer = setTimeout(() => made.box.append(inner), ANNOUNCED_MS);
  made.undoes.push(() => clearTimeout(timer));
};

const focusable = (box) =>
  [...box.querySelectorAll("a[href],button,input,select,textarea")].filter((one) => !one.disabled);

const SHOWN = {
  modal(entry, next) {
    const made = place(entry, next, "dialog");
    const { box, end, escape } = made;
    mount(made);
    box.addEventListener("cancel", (event) => {
      event.preventDefault();
      end("dismiss");
    });
    box.addEventListener("click", (event) => {
      // The backdrop is the dialog itself, beyond what it holds.
      if (event.target === box) end("dismiss");
    });
    box.addEventListener("keydown", (event) => {
      escape(event);
      if (event.key !== "Tab") return;
      const all = focusable(box);
      const at = all.indexOf(made.host.shadowRoot.activeElement);
      const edge = event.shiftKey ? at <= 0 : at === all.length - 1;
      if (!edge) return;
      event.preventDefault();
      all[event.shiftKey ? all.length - 1 : 0].focus();
    });
    box.showModal();
    box.querySelector(".text").focus();
  },

  banner(entry, next) {
    const made = place(entry, next, "section");
    made.box.addEventListener("keydown", made.escape);
    announce(made);
  },

  toast(entry, next) {
    const made = place(entry, next, "div", "status");
    const { box, end, undoes } = made;
    let timer;
    const go = () => {
      timer = setTimeout(() => end(), TOAST_MS);
    };
    const stay = () => clearTimeout(timer);
    // Whoever reads it or tabs through it has all the time that it takes (WCAG 2.2.1).
    box.addEventListener("pointerenter", stay);
    box.addEventListener("focusin", stay);
    box.addEventListener("pointerleave", go);
    box.addEventListener("focusout", go);
    box.addEventListener("keydown", made.escape);
    undoes.push(stay);
    announce(made);
    // A question waits for its answer.
    if (!entry.message.survey) go();
    else for (const type of ["pointerleave", "focusout"]) box.removeEventListener(type, go);
  },

  tooltip(entry, next) {
    const made = place(entry, next, "div", "dialog");
    document.addEventListener("keydown", made.escape);
    made.undoes.push(
      () => document.removeEventListener("keydown", made.escape),
      attach(made.box, entry.message.target, () => mount(made)),
    );
  },
};
