// The service worker of web push. Where the SDK comes from another origin than the shop, the shop
// has a file of its own that says importScripts("https://…/sdk-sw.js").

const read = (data) => {
  try {
    return data.json();
  } catch {
    return { body: data ? data.text() : "" };
  }
};

self.addEventListener("push", (event) => {
  const said = read(event.data);
  const body = said.body || "";
  // A title there must be: without one, the first line is.
  event.waitUntil(
    self.registration.showNotification(said.title || body, {
      body: said.title ? body : "",
      tag: said.id,
      image: said.image,
      data: said.url,
    }),
  );
});

// The message's link leads over the server, which counts the click (docs/reference/links.md).
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(self.clients.openWindow(event.notification.data || "/"));
});

self.addEventListener("install", () => self.skipWaiting());
