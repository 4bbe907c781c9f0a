// Google Tag Manager's `dataLayer`: GA4's ecommerce events become those of the ecommerce spec.

import { track } from "./calls.js";

// By GA4's name: ours, and whether each item is an event of its own.
const EVENTS = {
  view_item: ["Product Viewed", true],
  add_to_cart: ["Product Added", true],
  remove_from_cart: ["Product Removed", true],
  add_to_wishlist: ["Product Added to Wishlist", true],
  view_cart: ["Cart Viewed"],
  view_item_list: ["Product List Viewed"],
  begin_checkout: ["Checkout Started"],
  purchase: ["Order Completed"],
};
const NAMES = {
  item_id: "product_id",
  item_name: "name",
  item_brand: "brand",
  item_category: "category",
  item_variant: "variant",
  index: "position",
  transaction_id: "order_id",
  item_list_id: "list_id",
  item_list_name: "list",
};

const renamed = (said) => {
  const made = {};
  for (const name in said) {
    if (name !== "items" && said[name] !== undefined) made[NAMES[name] || name] = said[name];
  }
  return made;
};

const read = (entry) => {
  if (!entry) return;
  // gtag("event", name, parameters) pushes its `arguments`.
  const isCall = entry[0] === "event";
  const known = EVENTS[isCall ? entry[1] : entry.event];
  const said = isCall ? entry[2] : entry.ecommerce;
  if (!known || !said) return;
  const [name, isEach] = known;
  const products = (said.items || []).map(renamed);
  const whole = renamed(said);
  if (isEach) {
    for (const one of products) track(name, { currency: whole.currency, ...one });
    return;
  }
  if (whole.order_id && whole.value !== undefined) whole.total = whole.value;
  // A thank-you page that is loaded again tells of no second order.
  const more = whole.order_id && { messageId: `order:${whole.order_id}` };
  track(name, { ...whole, products }, more);
};

const guarded = (entry) => {
  try {
    read(entry);
  } catch {
    // Not as GA4 has it.
  }
};

export const bridge = () => {
  const layer = (window.dataLayer = window.dataLayer || []);
  const push = layer.push;
  for (const entry of layer) guarded(entry);
  layer.push = function (...entries) {
    entries.forEach(guarded);
    return push.apply(this, entries);
  };
};
