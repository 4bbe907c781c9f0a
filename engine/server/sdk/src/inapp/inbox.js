// A user's inbox: a live stream, and what is done with each message.

const AGAIN_MS = 30_000;
const AGAIN_MS_MAX = 600_000;

export class Inbox {
  // `show(message, report)` shows a message and returns how to take it away again.
  constructor(host, token, show) {
    this.host = host;
    this.token = token;
    this.show = show;
    this.shown = new Map();
    this.wait = AGAIN_MS;
    this.open();
  }

  open() {
    const after = this.last ? `&last_event_id=${this.last}` : "";
    this.source = new EventSource(`${this.host}/inbox/stream?token=${this.token}${after}`);
    this.source.onopen = () => {
      this.wait = AGAIN_MS;
    };
    this.source.onmessage = (event) => {
      this.last = event.lastEventId;
      this.take(JSON.parse(event.data));
    };
    this.source.onerror = () => {
      // While it is connecting the browser tries by itself; CLOSED is an answer that was no stream.
      if (this.source.readyState === EventSource.CLOSED) this.ask();
    };
  }

  // An EventSource does not tell why it was refused; the list, asked with the same token, does.
  async ask() {
    const status = await fetch(`${this.host}/inbox?token=${this.token}`)
      .then((answer) => answer.text().then(() => answer.status))
      .catch(() => 0);
    if (this.isClosed) return;
    if (status === 401) {
      // The page has its server sign another one, and says hairspring.inbox(token).
      document.dispatchEvent(new CustomEvent("hairspring:token"));
      return;
    }
    this.timer = setTimeout(() => this.open(), this.wait * (0.5 + Math.random() / 2));
    this.wait = Math.min(this.wait * 2, AGAIN_MS_MAX);
  }

  take(message) {
    const isOver = Date.parse(message.expires_at) <= Date.now();
    const isDone = message.clicked || (message.read && !stays(message));
    if (isOver || isDone || this.shown.has(message.id)) return;
    const report = (done, value) => this.report(message.id, done, value);
    const event = new CustomEvent("hairspring:message", {
      cancelable: true,
      detail: { message, report },
    });
    // A page that shows messages itself says so by preventDefault().
    const isOurs = document.dispatchEvent(event);
    this.shown.set(message.id, isOurs ? this.show(message, report) : () => {});
  }

  // No header of our own, so that no question goes ahead; alive when a link is followed.
  async report(id, done, value) {
    const said = done === "answer" ? { value } : { dwell_ms: value };
    const body = value === undefined ? undefined : JSON.stringify(said);
    const url = `${this.host}/inbox/${encodeURIComponent(id)}/${done}?token=${this.token}`;
    for (let wait = 1_000; wait < 60_000 && !this.isClosed; wait *= 4) {
      const answer = await fetch(url, { method: "POST", keepalive: true, body }).catch(() => null);
      if (answer && answer.status < 500 && answer.status !== 429) return;
      await new Promise((done) => setTimeout(done, wait));
    }
  }

  close() {
    this.isClosed = true;
    clearTimeout(this.timer);
    this.source.close();
    for (const takeAway of this.shown.values()) takeAway();
  }
}

// What waits on every page until something is done with it; the others are shown once.
export const stays = ({ style }) => style !== "modal" && style !== "toast";
