// What is kept between pages: in localStorage, else in a cookie (ids alone), else on this page.
// Nothing leaves memory until `keep(true)`.

import { cookieDomain } from "./settings.js";

const PREFIX = "hs.";
const YEAR_S = 31_536_000;
const memory = {};
let kept = false;
let area;
try {
  area = window.localStorage;
  area.getItem(PREFIX);
} catch {
  area = undefined;
}

const isId = (name) => name === "anon" || name === "user";
const inCookie = (name) => isId(name) && (cookieDomain || !area);

const readCookie = (name) => {
  const found = document.cookie.split("; ").find((one) => one.startsWith(`${PREFIX}${name}=`));
  return found && decodeURIComponent(found.slice(PREFIX.length + name.length + 1));
};

const writeCookie = (name, value) => {
  document.cookie =
    `${PREFIX}${name}=${encodeURIComponent(value || "")};path=/;SameSite=Lax` +
    `;max-age=${value ? YEAR_S : 0}` +
    (cookieDomain ? `;domain=${cookieDomain}` : "") +
    (location.protocol === "https:" ? ";Secure" : "");
};

const write = (name, value) => {
  try {
    if (inCookie(name)) writeCookie(name, value);
    else if (!area) return;
    else if (value === undefined) area.removeItem(PREFIX + name);
    else area.setItem(PREFIX + name, value);
  } catch {
    // Full, or shut by now: this page has it all the same.
  }
};

export const read = (name) => {
  if (name in memory) return memory[name];
  try {
    return (inCookie(name) ? readCookie(name) : area && area.getItem(PREFIX + name)) || undefined;
  } catch {
    return undefined;
  }
};

// `undefined` takes it away.
export const put = (name, value) => {
  memory[name] = value;
  if (kept) write(name, value);
};

// Whether what is put is kept beyond this page; what was put before counts too.
export const keep = (yes) => {
  kept = yes;
  if (yes) for (const name in memory) write(name, memory[name]);
};

export const names = () =>
  area ? Object.keys(area).filter((one) => one.startsWith(PREFIX)).map((one) => one.slice(3)) : [];

export const forget = () => {
  for (const name of [...names(), "anon", "user"]) write(name);
  for (const name in memory) delete memory[name];
};
