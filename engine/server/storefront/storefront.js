// A shop's own script, as small as one can be: it draws pages, keeps a basket, and says to the SDK
// what only a shop knows. What people do without saying so the SDK hears by itself.

const { visitor, currency } = document.currentScript.dataset;
const TOLD_MAX = 8;
const GOODS = [
  ["mug-01", "Stoneware mug", 18, "Thrown by hand, and glazed with the ash of our own kiln."],
  ["lamp-04", "Reading lamp", 129, "An arm of oak that stays where you put it."],
  ["throw-2", "Wool throw", 84.5, "From a flock of forty, woven an hour from where it grazes."],
  ["pan-28", "Cast-iron pan", 64, "Heavy, black, and better with each year."],
  ["chair-7", "Oak chair", 245, "Eleven parts, no screw. It will outlive us."],
  ["soap-3", "Olive soap", 6.9, "Cut from the block, and dried for nine months."],
].map(([product_id, name, price, text]) => ({ product_id, name, price, text, currency }));
const STORY = [
  ["Clay", "The clay for our mugs comes from a pit by the river. It is washed, aged for a winter, and thrown in spring, when the shed is warm enough. Two of three mugs survive the kiln."],
  ["Oak", "Each tree is felled within sight of the workshop, and another planted. The planks dry for one year an inch of thickness, under a roof and in the wind. Nobody has found a way to hurry it."],
  ["Wool", "Shearing takes three days in June. The fleeces are washed in rain water, carded and spun two villages away. What has no colour of its own is dyed with walnut and weld."],
  ["Iron", "The foundry has poured pans since 1911. Each mould is of sand, and good once. The pans are seasoned with linseed, six times, before they leave."],
  ["Olives", "The oil is of the second pressing, too bitter for the table. With water, lye and patience it becomes soap, and the block is cut when a knife no longer sticks."],
  ["Time", "What we sell is made by eleven people. If something breaks, send it back: whoever made it will mend it, and write to you what it was."],
];
const money = new Intl.NumberFormat("en", { style: "currency", currency });

// An element with attributes and what is in it; texts stay texts.
const make = (tag, said = {}, ...inside) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(said)) element.setAttribute(name, value);
  element.append(...inside);
  return element;
};

const find = (id) => document.getElementById(id);
const basket = JSON.parse(sessionStorage.getItem("basket") || "[]");
const total = () => basket.reduce((sum, one) => sum + one.price * one.quantity, 0);
const facts = ({ product_id, name, price }) => ({ product_id, name, price, currency });

const keep = () => {
  sessionStorage.setItem("basket", JSON.stringify(basket));
  find("count").textContent = basket.reduce((sum, one) => sum + one.quantity, 0);
};

const add = (product) => {
  const known = basket.find((one) => one.product_id === product.product_id);
  if (known) known.quantity += 1;
  else basket.push({ ...facts(product), quantity: 1 });
  keep();
  hairspring.track("Product Added", { ...facts(product), quantity: 1, url: location.href });
};

const remove = (product) => {
  basket.splice(basket.indexOf(product), 1);
  keep();
  hairspring.track("Product Removed", { ...facts(product), quantity: product.quantity });
  draw();
};

const button = (text, act, said = {}) => {
  const made = make("button", { type: "button", ...said }, text);
  made.addEventListener("click", act);
  return made;
};

const card = (product) =>
  make(
    "li",
    { class: "card" },
    make("a", { href: `/product/${product.product_id}` }, picture(product), product.name),
    make("span", { class: "price" }, money.format(product.price)),
  );

const picture = ({ product_id, name }) =>
  make("span", { class: `picture ${product_id}`, "aria-hidden": "true" }, name[0]);

const shop = () => [
  make("h1", {}, "Things that last"),
  make("ul", { class: "cards" }, ...GOODS.map(card)),
  make("h2", {}, "How they are made"),
  ...STORY.map(([name, text]) => make("section", {}, make("h3", {}, name), make("p", {}, text))),
  make("p", { id: "letter" }, "The letter of the season: four a year, on paper if you like."),
];

const product = (id) => {
  const one = GOODS.find(({ product_id }) => product_id === id);
  if (!one) return shop();
  hairspring.track("Product Viewed", { ...facts(one), url: location.href });
  return [
    make("p", {}, make("a", { href: "/" }, "← All things")),
    make("h1", {}, one.name),
    picture(one),
    make("p", {}, one.text),
    make("p", { class: "price" }, money.format(one.price)),
    make(
      "p",
      { class: "acts" },
      button("Add to basket", () => add(one)),
      button("View in your room", () => {}, { class: "quiet", id: "room" }),
      // A click that needs no script: the attributes say it all.
      button("Size and care", () => find("care").toggleAttribute("hidden"), {
        class: "quiet",
        "data-hs-event": "Care Read",
        "data-hs-product-id": id,
      }),
    ),
    make("p", { id: "care", hidden: "" }, "Use it. Wash it by hand. Let it dry in the air."),
    make("p", { id: "advice" }, "A question? Whoever made it answers within a day."),
  ];
};

const lines = () =>
  make(
    "ul",
    { class: "lines" },
    ...basket.map((one) =>
      make(
        "li",
        {},
        `${one.quantity} × ${one.name}`,
        make("span", { class: "price" }, money.format(one.price * one.quantity)),
        button("Remove", () => remove(one), { class: "quiet" }),
      ),
    ),
  );

const cart = () => {
  if (!basket.length) return [make("h1", {}, "Your basket"), make("p", {}, "It is empty.")];
  hairspring.track("Cart Viewed", { total: total(), currency });
  return [
    make("h1", {}, "Your basket"),
    lines(),
    make("p", { class: "price" }, `In all ${money.format(total())}`),
    make("p", {}, make("a", { class: "act", href: "/checkout" }, "Check out")),
  ];
};

const field = (name, label, type, more = {}) =>
  make("label", {}, label, make("input", { name, type, ...more }));

const checkout = () => {
  if (!basket.length) return cart();
  hairspring.track("Checkout Started", { total: total(), currency, products: basket });
  const form = make(
    "form",
    { id: "checkout" },
    field("first_name", "First name", "text", { autocomplete: "given-name" }),
    field("email", "Email, which goes nowhere", "email", { required: "" }),
    make("label", { class: "yes" }, make("input", { name: "yes", type: "checkbox" }), "Write to me"),
    make("button", {}, `Pay ${money.format(total())}`),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    buy(new FormData(form));
  });
  return [make("h1", {}, "Checkout"), lines(), form];
};

const buy = (said) => {
  const traits = { email: said.get("email"), consent: { email: said.has("yes") } };
  if (said.get("first_name")) traits.first_name = said.get("first_name");
  hairspring.identify(traits);
  hairspring.track("Order Completed", {
    order_id: `${visitor}-${Date.now().toString(36)}`,
    total: total(),
    currency,
    products: basket,
  });
  basket.length = 0;
  keep();
  go("/thanks");
};

const thanks = () => [
  make("h1", {}, "Thank you"),
  make("p", {}, "The receipt is a mail by now: the terminal shows it."),
  make("p", {}, make("a", { class: "act", href: "/" }, "Back to the shop")),
];

const draw = () => {
  const [, first, second] = location.pathname.split("/");
  const pages = { product: () => product(second), basket: cart, checkout, thanks };
  const drawn = (pages[first] || shop)();
  const main = find("main");
  main.replaceChildren(...drawn);
  const heading = main.querySelector("h1").textContent;
  document.title = `${heading} · ${document.querySelector(".brand").textContent}`;
};

const go = (address) => {
  history.pushState({}, "", address);
  scrollTo(0, 0);
  draw();
  find("main").focus({ preventScroll: true });
};

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='/']");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  go(link.getAttribute("href"));
});
addEventListener("popstate", draw);

// What comes is ticked off; the SDK shows it.
const done = new Set(JSON.parse(sessionStorage.getItem("done") || "[]"));
const tick = () => {
  for (const tried of document.querySelectorAll("#tries li")) {
    tried.classList.toggle("done", done.has(tried.dataset.campaign));
  }
  sessionStorage.setItem("done", JSON.stringify([...done]));
};
document.addEventListener("hairspring:message", ({ detail: { message } }) => {
  done.add(message.campaign);
  tick();
});

// What goes to the server is shown, from the body that the SDK sends.
const show = (body) => {
  const list = find("told");
  for (const { type, event, properties } of JSON.parse(body).batch) {
    const name = event || { page: "Page Viewed" }[type] || type;
    const { path, url, products, ...rest } = properties || {};
    const facts = Object.entries(rest).filter(([, value]) => value !== "");
    const told = facts.map(([key, value]) => `${key} ${JSON.stringify(value)}`).join(", ");
    list.prepend(make("li", {}, make("b", {}, name), ` ${told}`));
  }
  while (list.children.length > TOLD_MAX) list.lastChild.remove();
};
const fetched = window.fetch;
window.fetch = (url, options) => {
  if (String(url).endsWith("/v1/batch")) show(options.body);
  return fetched(url, options);
};

keep();
tick();
hairspring.identify(visitor);
draw();
