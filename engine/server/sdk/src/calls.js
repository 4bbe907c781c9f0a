// What can be said, by the page or by the signals: each call is a message of the queue.

import { newId } from "./ids.js";
import * as queue from "./queue.js";
import { consentRequired, untracked } from "./settings.js";
import { forget, keep, put, read } from "./storage.js";

const AGREED = "1";
const REFUSED = "0";
let said = read("consent");
let starts = () => {};

export const isOpen = () => said === AGREED || (said !== REFUSED && !consentRequired);

const anonymousId = () => {
  const known = read("anon");
  if (known) return known;
  const made = newId();
  put("anon", made);
  return made;
};

const send = (type, more) => {
  if (said === REFUSED) return;
  if (untracked && (type === "track" || type === "page")) return;
  queue.add({
    type,
    messageId: newId(),
    timestamp: new Date().toISOString(),
    anonymousId: untracked ? undefined : anonymousId(),
    userId: read("user"),
    ...more,
  });
};

const isObject = (value) => value !== null && typeof value === "object";

export const track = (event, properties, more) => send("track", { event, properties, ...more });

export const page = (name, properties) =>
  isObject(name) ? page(undefined, name) : send("page", { name, properties });

// `identify(traits)` says something of whoever it is.
export const identify = (id, traits) => {
  if (isObject(id)) return send("identify", { traits: id });
  if (id !== undefined && id !== null) put("user", String(id));
  return send("identify", { traits });
};

export const group = (groupId, traits) => send("group", { groupId, traits });

export const alias = (id, previous) => {
  send("alias", { userId: id, previousId: previous || read("user") || anonymousId() });
  put("user", String(id));
};

// Somebody else sits down here.
export const reset = () => {
  put("user", undefined);
  put("anon", undefined);
};

const open = () => {
  keep(!untracked);
  queue.open();
  starts();
};

export const consent = (yes) => {
  const was = isOpen();
  if (!yes) {
    queue.discard();
    forget();
    keep(false);
    said = REFUSED;
    // Where nobody is asked first, a no has to be remembered; else there is nothing to keep.
    if (!consentRequired) {
      keep(true);
      put("consent", said);
      keep(false);
    }
    return;
  }
  said = AGREED;
  put("consent", said);
  if (!was) open();
};

// `begin` is called once there is leave to listen and to send.
export const whenOpen = (begin) => {
  let begun = false;
  starts = () => {
    // In a task of its own: the page has a breath between.
    if (!begun) setTimeout(begin);
    begun = true;
  };
  if (isOpen()) open();
};

export const ids = { get anonymousId() { return anonymousId(); } };
