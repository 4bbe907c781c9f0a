// What is to be sent: bounded, in the order in which it happened, tried until it is taken.
//
// Each message has an id, and the server takes none twice. So whatever may have been lost is sent
// again, and two tabs that both adopt what an earlier page left do no harm.

import { newId } from "./ids.js";
import { host, key, warn } from "./settings.js";
import { names, put, read } from "./storage.js";

const WAIT_MS = 1_000;
const RETRY_MS_MAX = 300_000;
const ITEMS_MAX = 500;
const CHARS_MAX = 500_000;
const BATCH_ITEMS_MAX = 100;
const BATCH_CHARS_MAX = 20_000; // 60 KB at most in UTF-8: browsers take 64 KB of a page that is left
const OWN = `queue.${newId().slice(0, 8)}`;
const url = `${host}/v1/batch`;

let waiting = []; // JSON texts
let chars = 0;
let underWay = 0; // so many at the head of `waiting`
let most = BATCH_ITEMS_MAX;
let failures = 0;
let retryAt = 0;
let timer = 0;
let isAskedToWait = false;
let isOpen = false;
let isStored = false;

const bodyOf = (texts) =>
  `{"writeKey":${JSON.stringify(key)},"sentAt":"${new Date().toISOString()}","batch":[${texts}]}`;

const batchFrom = (start) => {
  let size = 0;
  let end = start;
  while (end < waiting.length && end - start < most) {
    size += waiting[end].length + 1;
    if (size > BATCH_CHARS_MAX && end > start) break;
    end += 1;
  }
  return waiting.slice(start, end);
};

const drop = (start, count) => {
  for (const text of waiting.splice(start, count)) chars -= text.length;
};

const store = () => {
  if (!isOpen || (!waiting.length && !isStored)) return;
  isStored = waiting.length > 0;
  put(OWN, isStored ? `[${waiting}]` : undefined);
};

const schedule = (ms) => {
  if (isOpen && !timer) timer = setTimeout(flush, Math.max(ms, retryAt - Date.now()));
};

const isLater = (status) => !status || status === 408 || status === 429 || status >= 500;

const failed = (answer) => {
  failures += 1;
  isAskedToWait = Boolean(answer);
  const asked = answer && parseInt(answer.headers.get("Retry-After"), 10) * 1_000;
  const own = Math.min(WAIT_MS * 2 ** failures, RETRY_MS_MAX) * (0.5 + Math.random() / 2);
  retryAt = Date.now() + (asked || own);
  store();
};

export const add = (message) => {
  let text;
  try {
    text = JSON.stringify(message);
  } catch (error) {
    warn("cannot be sent:", error.message);
    return;
  }
  waiting.push(text);
  chars += text.length;
  while (waiting.length - underWay > 1 && (waiting.length > ITEMS_MAX || chars > CHARS_MAX)) {
    drop(underWay, 1);
  }
  schedule(WAIT_MS);
};

export const flush = async () => {
  clearTimeout(timer);
  timer = 0;
  if (!isOpen || underWay || !waiting.length) return;
  if (navigator.onLine === false) {
    store();
    return;
  }
  if (Date.now() < retryAt) {
    schedule(0);
    return;
  }
  const ours = waiting;
  const texts = batchFrom(0);
  const body = bodyOf(texts);
  underWay = texts.length;
  let answer, told;
  try {
    const keepalive = body.length < BATCH_CHARS_MAX * 1.1;
    answer = await fetch(url, { method: "POST", body, keepalive, credentials: "omit" });
    told = await answer.text(); // read to its end, so that the browser is done with it
  } catch {
    // Nobody there, or not reachable from here.
  }
  const status = answer ? answer.status : 0;
  if (ours !== waiting) return; // all of it was withdrawn meanwhile
  underWay = 0;
  if (isLater(status)) {
    failed(answer);
  } else if (status === 413 && texts.length > 1) {
    most = texts.length >> 1;
  } else {
    if (status >= 400) warn(`${status}: ${texts.length} not taken`, told);
    drop(0, texts.length);
    failures = 0;
    if (isStored) store();
  }
  if (waiting.length) schedule(0);
};

// The page goes away: all of it goes by beacons, also what is under way, whose answer nobody will
// hear. Where the last attempt failed it is kept besides, for the next page.
export const leave = () => {
  if (!isOpen) return;
  if (navigator.onLine !== false && !(isAskedToWait && Date.now() < retryAt)) {
    let start = 0;
    for (let texts; (texts = batchFrom(start)).length; start += texts.length) {
      if (!navigator.sendBeacon(url, bodyOf(texts))) break;
    }
    if (!failures) {
      waiting = waiting.slice(start);
      chars = waiting.join("").length;
      underWay = 0;
    }
  }
  store();
};

// From now on things are sent; what pages before this one could not send goes first.
export const open = () => {
  isOpen = true;
  const left = [];
  for (const name of names()) {
    if (!name.startsWith("queue.") || name === OWN) continue;
    try {
      left.push(...JSON.parse(read(name)).map((one) => JSON.stringify(one)));
    } catch {
      // Not ours, or cut: nothing can be made of it.
    }
    put(name, undefined);
  }
  waiting.unshift(...left.slice(-ITEMS_MAX));
  chars = waiting.join("").length;
  if (left.length) store();
  if (waiting.length) schedule(0);
};

export const discard = () => {
  isOpen = false;
  waiting = [];
  chars = underWay = 0;
  clearTimeout(timer);
  timer = 0;
};

export const online = () => {
  if (failures) retryAt = Math.min(retryAt, Date.now() + WAIT_MS);
  clearTimeout(timer);
  timer = 0;
  if (waiting.length) schedule(0);
};
