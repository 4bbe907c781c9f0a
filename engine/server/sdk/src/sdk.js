// The browser SDK: `window.hairspring`. See docs/how-to/add-the-browser-sdk.md.

import * as calls from "./calls.js";
import { bridge } from "./datalayer.js";
import { on } from "./listening.js";
import * as queue from "./queue.js";
import { host, isOn, key, nonce, untracked, userToken, warn } from "./settings.js";
import * as signals from "./signals.js";
import { start } from "./views.js";
import * as webpush from "./webpush.js";

// A call that breaks would break the page.
const guarded = (call) =>
  (...given) => {
    try {
      return call(...given);
    } catch (error) {
      return warn(error.message);
    }
  };

let renderer;

// In-app messages of the user whose token the shop's server has signed; without one, of nobody.
const inbox = (token) => {
  renderer ||= new Promise((done) => {
    const script = document.createElement("script");
    script.nonce = nonce;
    script.src = trusted(`${host}/sdk-inapp.js`);
    script.onload = () => done(sdk.inapp);
    document.head.append(script);
  });
  renderer.then((inapp) => inapp(host, token));
};

const trusted = (address) =>
  window.trustedTypes
    ? trustedTypes
        .createPolicy("hairspring", { createScriptURL: (said) => said })
        .createScriptURL(address)
    : address;

const api = { inbox, flush: queue.flush };
for (const name of ["track", "identify", "page", "group", "alias", "reset", "consent"]) {
  api[name] = calls[name];
}

const early = window.hairspring;
const sdk = (window.hairspring = Object.create(calls.ids));
for (const name in api) sdk[name] = guarded(api[name]);
// `hairspring.push(["track", …])` is how a page calls what has not loaded yet.
sdk.push = Object.assign(guarded(([name, ...given]) => sdk[name](...given)), {
  subscribe: webpush.subscribe,
  unsubscribe: webpush.unsubscribe,
});

if (!key) warn("the script needs data-key");

calls.whenOpen(() => {
  start(isOn("pages"), queue.leave);
  on(window, "online", queue.online);
  on(document, "visibilitychange", queue.flush);
  if (!untracked) {
    if (isOn("clicks")) signals.clicks(calls.track);
    for (const name of ["dwell", "scroll", "exit", "forms", "rage", "errors"]) {
      if (isOn(name)) signals[name]();
    }
    if (isOn("datalayer")) bridge();
  }
  webpush.renew().catch(() => {});
});

if (Array.isArray(early)) early.forEach(sdk.push);
if (userToken) inbox(userToken);
