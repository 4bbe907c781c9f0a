// In-app messages: listens to a user's inbox and shows what comes. Loaded by sdk.js where a page has
// a user's token; it works under a strict content security policy.

import { Inbox } from "./inapp/inbox.js";
import { show } from "./inapp/showing.js";

let inbox;

// The messages of the user whose token it is, from now on; of nobody without one.
window.hairspring.inapp = (host, token) => {
  if (inbox) inbox.close();
  inbox = token ? new Inbox(host, token, show) : undefined;
};
