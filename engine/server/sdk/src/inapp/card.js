// The parts of a message: picture, title, text, a link or the answers of a survey, and a way out.

import { copied } from "./markup.js";
import { words } from "./words.js";

const make = (tag, className, text) => {
  const element = document.createElement(tag);
  element.className = className;
  if (text) element.textContent = text;
  return element;
};

const isLink = (url) => {
  try {
    return ["http:", "https:", "mailto:", "tel:"].includes(new URL(url, location.href).protocol);
  } catch {
    return false;
  }
};

const answers = (message, acts) => {
  const row = make("div", "answers");
  row.setAttribute("role", "group");
  const give = (value) => {
    acts.answer(value);
    const thanks = make("p", "thanks", words("thanks"));
    thanks.setAttribute("role", "status");
    thanks.tabIndex = -1;
    row.replaceWith(thanks);
    thanks.focus();
    setTimeout(acts.done, 2_000);
  };
  if (message.choices && message.choices.length) {
    for (const choice of message.choices) {
      const button = make("button", "answer", choice);
      button.type = "button";
      button.addEventListener("click", () => give(choice));
      row.append(button);
    }
    return row;
  }
  const form = make("form", "answers");
  const field = make("input", "field");
  field.maxLength = 100;
  field.required = true;
  field.setAttribute("aria-label", message.title || words("answer"));
  const button = make("button", "action", words("send"));
  form.append(field, button);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (field.value.trim()) give(field.value.trim());
  });
  row.append(form);
  return row;
};

export const card = (box, message, acts) => {
  const inner = make("div", "inner");
  const close = make("button", "close");
  close.type = "button";
  close.setAttribute("aria-label", words("close"));
  close.addEventListener("click", acts.dismiss);
  if (message.image && isLink(message.image)) {
    const image = make("img", "image");
    image.src = message.image;
    image.alt = "";
    inner.append(image);
  }
  const text = make("div", "text");
  text.tabIndex = -1;
  if (message.title) {
    const title = make("h2", "title", message.title);
    title.id = "title";
    text.append(title);
    box.setAttribute("aria-labelledby", "title");
  } else {
    box.setAttribute("aria-label", words("message"));
  }
  const body = make("div", "body");
  body.append(copied(message.body || ""));
  text.append(body);
  inner.append(text);
  const isAsked = Boolean(message.survey);
  if (isAsked) {
    inner.append(answers(message, acts));
  } else if (message.url && isLink(message.url)) {
    const link = make("a", "action", message.button || words("open"));
    link.href = message.url;
    inner.append(link);
  }
  inner.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (link) acts.click(link.target !== "_blank");
  });
  // Behind the rest in the order of reading, so that it is not the first thing that is heard.
  inner.append(close);
  box.append(inner);
};
