// Web push: a subscription of this browser, which the server gets as the trait `push`.

import { identify } from "./calls.js";
import { host, serviceWorker } from "./settings.js";
import { put, read } from "./storage.js";

// A scope that no page is in: a service worker that the shop has stays in charge of its pages.
const SCOPE = "hairspring-push/";
const file = () => serviceWorker || `${host}/sdk-sw.js`;
const scope = () => new URL(SCOPE, new URL(file(), location.href)).href;

const registered = async () => {
  const registration = await navigator.serviceWorker.register(file(), { scope: scope() });
  const worker = registration.installing || registration.waiting;
  if (worker && !registration.active) {
    await new Promise((done) => {
      worker.onstatechange = () => worker.state === "activated" && done();
    });
  }
  return registration;
};

const tell = (subscription) => {
  const said = subscription.toJSON();
  if (read("push") === said.endpoint) return;
  identify({ push: { endpoint: said.endpoint, keys: said.keys } });
  put("push", said.endpoint);
};

// To be called from a click: browsers ask nobody else. `null` where the visitor says no.
export const subscribe = async () => {
  if ((await Notification.requestPermission()) !== "granted") return null;
  const answer = await fetch(`${host}/push/key`);
  if (!answer.ok) throw new Error(`hairspring: ${(await answer.json()).detail}`);
  const { pushManager } = await registered();
  const asked = { userVisibleOnly: true, applicationServerKey: (await answer.json()).key };
  let subscription;
  try {
    subscription = await pushManager.subscribe(asked);
  } catch (error) {
    // Subscribed with a key that the shop had before.
    const old = await pushManager.getSubscription();
    if (!old) throw error;
    await old.unsubscribe();
    subscription = await pushManager.subscribe(asked);
  }
  tell(subscription);
  return subscription;
};

export const unsubscribe = async () => {
  put("push", undefined);
  const registration = await navigator.serviceWorker.getRegistration(scope());
  const subscription = registration && (await registration.pushManager.getSubscription());
  return subscription ? subscription.unsubscribe() : false;
};

// Push services change a subscription now and then; the server is told on the next page.
export const renew = async () => {
  if (!read("push")) return;
  const registration = await navigator.serviceWorker.getRegistration(scope());
  const subscription = registration && (await registration.pushManager.getSubscription());
  if (subscription) tell(subscription);
};
