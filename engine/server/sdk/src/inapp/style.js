// How messages look. A shop sets `--hairspring-accent`, `--hairspring-on-accent`, `--hairspring-font`
// and `--hairspring-radius` on its root element; they reach into shadow trees.

const CSS = `
:host { all: initial; }
* { box-sizing: border-box; }
.box {
  --back: #fff; --front: #1c1d21; --soft: #5a5e69; --line: #e3e4e8; --edge: #878c98; --hover: #f1f2f4;
  --accent: var(--hairspring-accent, #1f5f46); --on-accent: var(--hairspring-on-accent, #fff);
  --round: var(--hairspring-radius, 14px);
  position: fixed; z-index: 2147483000; margin: 0; padding: 0; border: 1px solid var(--line);
  background: var(--back); color: var(--front); border-radius: var(--round); text-align: start;
  font: 400 16px/1.5 var(--hairspring-font, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif);
  box-shadow: 0 1px 2px rgb(0 0 0 / .06), 0 12px 40px rgb(0 0 0 / .18);
  animation: come .24s cubic-bezier(.2, .8, .2, 1); overflow-wrap: anywhere;
}
.gone { opacity: 0; transition: opacity .18s; }
[hidden] { display: none !important; }
.inner { position: relative; }
.title { margin: 0; font-size: 1.125em; font-weight: 650; line-height: 1.3; }
.body { color: var(--soft); }
.body > :first-child { margin-top: 0; } .body > :last-child { margin-bottom: 0; }
.body p { margin: 0 0 .6em; }
.body a { color: var(--accent); text-underline-offset: .15em; }
.body img { max-width: 100%; height: auto; }
.title + .body:not(:empty) { margin-top: .25em; }
.text { outline: none; min-width: 0; }
.image { display: block; object-fit: cover; background: var(--hover); }
button, input { font: inherit; color: inherit; }
.action {
  display: inline-flex; align-items: center; justify-content: center; min-height: 44px; padding: 8px 20px;
  border: 0; border-radius: calc(var(--round) * .7); background: var(--accent); color: var(--on-accent);
  font-weight: 600; text-decoration: none; cursor: pointer; white-space: nowrap;
}
.action:hover { filter: brightness(1.1); }
:is(a, button, input):focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.close {
  position: absolute; top: 8px; inset-inline-end: 8px; width: 36px; height: 36px; padding: 0;
  border: 0; border-radius: 50%; background: none; color: var(--soft); cursor: pointer;
}
.close::before, .close::after {
  content: ""; position: absolute; top: 17px; left: 11px; width: 14px; height: 2px; border-radius: 1px;
  background: currentColor; transform: rotate(45deg);
}
.close::after { transform: rotate(-45deg); }
.close:hover { background: var(--hover); color: var(--front); }
.answers { display: flex; flex-wrap: wrap; gap: 8px; }
.answer {
  min-width: 44px; min-height: 44px; padding: 8px 14px; border: 1px solid var(--edge); cursor: pointer;
  border-radius: calc(var(--round) * .7); background: none;
}
.answer:hover { background: var(--hover); border-color: var(--accent); }
.field {
  flex: 1 1 12em; min-width: 0; min-height: 44px; padding: 8px 12px; border: 1px solid var(--edge);
  border-radius: calc(var(--round) * .7); background: none;
}
form.answers { flex: 1; }
.thanks { margin: 0; font-weight: 600; outline: none; }

.modal { inset: 0; margin: auto; width: min(440px, calc(100vw - 32px)); max-height: calc(100dvh - 32px);
  height: fit-content; overflow: auto; }
.modal::backdrop { background: rgb(15 16 20 / .55); animation: fade .24s; }
.modal.gone::backdrop { opacity: 0; transition: opacity .18s; }
.modal .inner { display: flex; flex-direction: column; gap: 20px; padding: 28px; }
.modal .image { width: calc(100% + 56px); max-width: none; height: 200px; margin: -28px -28px 0; }
.modal .title { font-size: 1.375em; padding-inline-end: 28px; }
.modal .image ~ .text .title { padding-inline-end: 0; }
.modal .image ~ .close { background: var(--back); color: var(--front); }
.modal .action { width: 100%; }
.modal .answers { justify-content: center; }

.banner { inset-inline: 0; bottom: 0; border-width: 1px 0 0; border-radius: 0; max-height: 50vh; overflow: auto;
  padding-bottom: env(safe-area-inset-bottom); --come: translateY(100%); }
.banner .inner { display: flex; align-items: center; gap: 12px 20px; max-width: 1120px; margin: 0 auto;
  padding: 16px 64px 16px 24px; }
.banner .text { flex: 1 1 auto; }
.banner .image { width: 56px; height: 56px; border-radius: 8px; flex: none; }
.banner .close { top: calc(50% - 18px); inset-inline-end: 16px; }

.toast { top: 72px; inset-inline-end: 20px; width: min(380px, calc(100vw - 24px)); --come: translateY(-12px); }
.toast .inner { display: grid; grid-template-columns: auto 1fr; gap: 4px 14px; padding: 16px 48px 16px 18px; }
.toast .image { width: 48px; height: 48px; border-radius: 8px; grid-row: span 2; }
.toast .text, .toast .answers, .toast .thanks { grid-column: 2; }
.toast .answers, .toast .thanks { margin-top: 8px; }
.toast .text:first-child, .toast .text:first-child ~ :not(.close) { grid-column: 1 / -1; }
.toast .action, .tooltip .action { min-height: 0; padding: 6px 0; background: none; color: var(--accent);
  justify-self: start; justify-content: start; }
.toast .action:hover, .tooltip .action:hover { text-decoration: underline; filter: none; }

.tooltip { left: 0; top: 0; width: max-content; max-width: min(320px, calc(100vw - 16px)); font-size: 15px; }
.tooltip .inner { padding: 14px 44px 14px 16px; display: grid; gap: 4px; }
.tooltip .title { font-size: 1em; }
.tooltip .image { width: 100%; height: 120px; border-radius: 8px; }
.tooltip .inner::before { content: ""; position: absolute; left: var(--arrow, 50%); bottom: -7px; width: 12px;
  height: 12px; margin-left: -6px; background: var(--back); border: solid var(--line); border-width: 0 1px 1px 0;
  transform: rotate(45deg); }
.tooltip.below .inner::before { bottom: auto; top: -7px; border-width: 1px 0 0 1px; }
.tooltip .close, .toast .close { top: 6px; inset-inline-end: 6px; }

@media (max-width: 640px) {
  .banner .inner { flex-wrap: wrap; padding: 16px 56px 16px 16px; }
  .banner .text { flex: 1 1 calc(100% - 80px); }
  .banner .close { top: 8px; inset-inline-end: 8px; }
  .banner .inner > :is(.action, .answers) { flex: none; width: calc(100% + 40px); margin-inline-end: -40px; }
  .toast { inset-inline: 12px; top: 12px; width: auto; }
  .modal .inner { padding: 24px; }
  .modal .image { width: calc(100% + 48px); margin: -24px -24px 0; height: 170px; }
}
@media (prefers-color-scheme: dark) {
  .box { --back: #1d1f24; --front: #f3f4f6; --soft: #b4b9c4; --line: #353943; --edge: #747b8a;
    --hover: #2b2e36;
    --accent: var(--hairspring-accent, #7fd1ac); --on-accent: var(--hairspring-on-accent, #10261c);
    box-shadow: 0 12px 40px rgb(0 0 0 / .55); }
  .modal::backdrop { background: rgb(0 0 0 / .65); }
}
@media (prefers-reduced-motion: reduce) { .box, .modal::backdrop { animation: none; } }
@media (forced-colors: active) { .close::before, .close::after { background: ButtonText; } }
@media print { .box { display: none; } }
@keyframes come { from { opacity: 0; transform: var(--come, translateY(8px) scale(.98)); } }
@keyframes fade { from { opacity: 0; } }
`;

let sheet;

// A sheet that is made and not written into the page is no inline style for a policy.
export const sheetFor = (root) => {
  if (!("adoptedStyleSheets" in root)) {
    const element = document.createElement("style");
    element.textContent = CSS;
    const script = document.querySelector("script[data-key]");
    if (script) element.nonce = script.nonce;
    root.append(element);
    return;
  }
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
  }
  root.adoptedStyleSheets = [sheet];
};
