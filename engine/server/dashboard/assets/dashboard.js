// The little that a page cannot do by itself: numbers that change while somebody looks at them.
// Parts with an id come anew by server-sent events (data-stream), or with the page they stand in,
// loaded again now and then (data-again, in seconds). All of it works without a script, by reloading.
"use strict";

// On a phone the way to the pages is wider than the screen: where one is, is in sight.
document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// What was done is said once, and not again by a reload or a bookmark.
const here = new URL(location.href);
if (here.searchParams.has("said")) {
  here.searchParams.delete("said");
  here.searchParams.delete("by");
  history.replaceState(null, "", here);
}

const live = document.querySelector("[data-stream], [data-again]");

function swap(part, html) {
  // Nobody who is filling something in, or has moved there by keyboard, loses his place.
  if (part && part.innerHTML !== html && !part.contains(document.activeElement)) {
    const scrolled = [...part.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
    part.innerHTML = html;
    part.querySelectorAll(".scroll").forEach((one, n) => { one.scrollLeft = scrolled[n] || 0; });
  }
}

function follow(address) {
  const source = new EventSource(address);
  source.onmessage = (event) => {
    for (const [id, html] of Object.entries(JSON.parse(event.data))) {
      swap(document.getElementById(id), html);
    }
  };
  return () => source.close();
}

function again(part, seconds) {
  let timer = 0;
  const wait = (s) => { timer = s > 0 ? setTimeout(look, s * 1000) : 0; };
  async function look() {
    let next = seconds;
    try {
      const answer = document.hidden ? null : await fetch(location.href, { headers: { "X-Live": "1" } });
      if (answer && answer.ok && !answer.redirected) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        const found = fresh.getElementById(part.id);
        swap(part, found.innerHTML);
        next = Number(found.dataset.again || 0);
        if (!next) delete part.dataset.again; // nothing more is to come
      }
    } catch { /* the process restarts: the next look finds it */ }
    if (timer) wait(next);
  }
  wait(seconds);
  return () => { clearTimeout(timer); timer = 0; };
}

if (live) {
  const begin = () => live.dataset.stream
    ? follow(live.dataset.stream) : again(live, Number(live.dataset.again));
  let stop = begin();
  const button = document.getElementById("live");
  if (button) {
    button.hidden = false;
    button.addEventListener("click", () => {
      if (stop) { stop(); stop = null; } else { stop = begin(); }
      button.setAttribute("aria-pressed", String(Boolean(stop)));
    });
  }
}
