// What the page says of itself, in the attributes of the script element that loads the SDK.

const script = document.currentScript || document.querySelector("script[data-key]");
const said = script.dataset;

export const key = said.key || "";
export const host = (said.host || new URL(".", script.src).href).replace(/\/+$/, "");
export const nonce = script.nonce;
export const consentRequired = said.consent === "required";
export const userToken = said.userToken;
export const cookieDomain = said.cookieDomain;
export const serviceWorker = said.serviceWorker;
export const dwellMarks = (said.dwell || "").split(/[ ,]+/).map(Number).filter(Boolean);

const off = (said.off || "").split(/[ ,]+/);
export const isOn = (signal) => !off.includes(signal);

// A browser that asks not to be tracked: nothing of what is done is sent or kept (Global Privacy
// Control; DNT as the server takes it).
export const untracked =
  said.gpc !== "ignore" &&
  (navigator.globalPrivacyControl === true || navigator.doNotTrack === "1");

export const warn = (...words) => console.warn("hairspring:", ...words);
