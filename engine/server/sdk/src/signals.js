// What people do without saying so. Names of events are in docs/reference/sdk.md.

import { dwellMarks } from "./settings.js";
import { closest, isVisible, on, targetOf } from "./listening.js";
import { around, signal } from "./views.js";

const IGNORED = "[data-hs-ignore]";
const IDLE_MS = 30_000;
const DEPTHS = [25, 50, 75, 100];
const SCROLL_MS = 200;
const RAGE_MS = 1_000;
const RAGE_PX = 30;
const RAGE_CLICKS = 3;
const SAME_ERRORS = 3;
const ERRORS_MAX = 50;
const FIELDS_MAX = 50;
const UP_PX_A_MS = 1;
const TOUCH_MS = 1_500;

const now = () => performance.now();
const FIELD = "input,textarea,select,[contenteditable]";

// A number is one, unless it is an id; `true` and `false` are what they say.
const valueOf = (name, text) =>
  /id$/.test(name) || !/^(-?(0|[1-9]\d{0,14})(\.\d+)?|true|false)$/.test(text)
    ? text
    : JSON.parse(text);

const describe = (element) =>
  element.id
    ? `#${element.id}`
    : [element.localName, ...[...element.classList].slice(0, 3)].join(".");

export const clicks = (track) =>
  on(document, "click", (event) => {
    const marked = closest(event, "[data-hs-event]");
    if (!marked) return;
    const properties = {};
    for (const { name, value } of marked.attributes) {
      if (!name.startsWith("data-hs-") || name === "data-hs-event") continue;
      const short = name.slice(8).replace(/-/g, "_");
      properties[short] = valueOf(short, value);
    }
    track(marked.getAttribute("data-hs-event"), properties);
  });

// Time in which the page is seen and somebody is there: 30 seconds beyond each sign of life.
export const dwell = () => {
  let active, told, counted, alive, marks;
  const count = () => {
    const until = Math.min(now(), alive + IDLE_MS);
    if (until > counted) active += until - counted;
    counted = Math.max(counted, until);
  };
  const wake = () => {
    count();
    if (isVisible()) alive = counted = now();
  };
  const tell = () => {
    count();
    const total = Math.round(active / 1_000);
    if (total > told) signal("Page Dwelled", { seconds: total - told, total_seconds: total });
    told = total;
  };
  around(
    () => {
      active = told = 0;
      alive = -IDLE_MS;
      counted = now();
      marks = [...dwellMarks];
      wake();
    },
    (isOver) => {
      tell();
      if (isOver || !isVisible()) alive = -IDLE_MS;
    },
  );
  on(window, "pointermove pointerdown keydown wheel scroll touchstart", wake);
  on(document, "visibilitychange", wake);
  if (marks.length) {
    setInterval(() => {
      count();
      if (!(active >= marks[0] * 1_000)) return;
      while (active >= marks[0] * 1_000) marks.shift();
      tell();
    }, 1_000);
  }
};

export const scroll = () => {
  let deepest;
  let timer = 0;
  const measure = () => {
    timer = 0;
    const root = document.scrollingElement;
    // A pixel less: browsers round.
    const depth = ((root.scrollTop + innerHeight + 1) / root.scrollHeight) * 100;
    for (const mark of DEPTHS) {
      if (mark > deepest && depth >= mark) {
        deepest = mark;
        signal("Page Scrolled", { depth: mark });
      }
    }
  };
  around(
    () => {
      deepest = 0;
    },
    () => {
      clearTimeout(timer);
      if (timer) measure();
    },
  );
  on(document, "scroll", (event) => {
    if (event.target === document && !timer) timer = setTimeout(measure, SCROLL_MS);
  });
};

export const exit = () => {
  let isTold;
  let touched = -TOUCH_MS;
  let last = { y: 0, at: 0 };
  let up = { px: 0, ms: 0 };
  const tell = (by) => {
    if (!isTold) signal("Exit Intended", { by });
    isTold = true;
  };
  around(
    () => {
      isTold = false;
    },
    () => {},
  );
  on(document, "mouseout", (event) => {
    if (!event.relatedTarget && event.clientY <= 0) tell("pointer");
  });
  on(window, "touchstart touchmove touchend", () => {
    touched = now();
  });
  on(document, "scroll", () => {
    const next = { y: scrollY, at: now() };
    const px = last.y - next.y;
    const ms = next.at - last.at;
    up = px > 0 && ms < 300 ? { px: up.px + px, ms: up.ms + ms } : { px: 0, ms: 0 };
    last = next;
    const isFast = up.px > innerHeight / 2 && up.px > up.ms * UP_PX_A_MS;
    if (isFast && next.at - touched < TOUCH_MS) tell("scroll");
  });
};

// Names of fields, never what is in them.
export const forms = () => {
  const touched = new Map();
  on(document, "input change", (event) => {
    const field = targetOf(event);
    const form = field.form;
    if (!form || closest(event, IGNORED)) return;
    const fields = touched.get(form) || new Set();
    if (fields.size < FIELDS_MAX) fields.add(field.name || field.id || field.type);
    touched.set(form, fields);
  });
  on(window, "submit reset", (event) => touched.delete(targetOf(event)));
  around(
    () => {},
    (isOver) => {
      if (!isOver) return;
      for (const [form, fields] of touched) {
        const name = form.id || form.getAttribute("name") || form.getAttribute("action") || "";
        const names = [...fields];
        signal("Form Abandoned", { form: name, fields: names, last_field: names[names.length - 1] });
      }
      touched.clear();
    },
  );
};

export const rage = () => {
  let recent = [];
  on(document, "click", (event) => {
    const { clientX: x, clientY: y } = event;
    const at = now();
    // Keys and scripts click at no place.
    if (!event.detail || closest(event, `${FIELD},label,${IGNORED}`)) return;
    recent = recent.filter(
      (one) => at - one.at < RAGE_MS && Math.hypot(one.x - x, one.y - y) <= RAGE_PX,
    );
    recent.push({ x, y, at });
    // Three clicks select a paragraph.
    const needed = RAGE_CLICKS + !getSelection().isCollapsed;
    if (recent.length < needed) return;
    signal("Rage Clicked", { element: describe(targetOf(event)), clicks: recent.length });
    recent = [];
  });
};

export const errors = () => {
  const seen = new Map();
  const count = (message, source = "", line = 0) => {
    const error = [message, source, line].join();
    const times = (seen.get(error) || 0) + 1;
    if (times > 1 || seen.size < ERRORS_MAX) seen.set(error, times);
    if (times === SAME_ERRORS) signal("Error Repeated", { message, source, line, times });
  };
  const short = (text) => String(text).slice(0, 200);
  // Of another origin's script nothing is told but that there was an error; images have no message.
  on(window, "error", (event) => {
    if (event.message) count(short(event.message), event.filename, event.lineno);
  });
  on(window, "unhandledrejection", ({ reason }) =>
    count(short((reason && reason.message) || reason)),
  );
  around(
    () => seen.clear(),
    () => {},
  );
};
