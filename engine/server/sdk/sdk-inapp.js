(()=>{var b=class{constructor(e,t,o){this.host=e,this.token=t,this.show=o,this.shown=new Map,this.wait=3e4,this.open()}open(){let e=this.last?`&last_event_id=${this.last}`:"";this.source=new EventSource(`${this.host}/inbox/stream?token=${this.token}${e}`),this.source.onopen=()=>{this.wait=3e4},this.source.onmessage=t=>{this.last=t.lastEventId,this.take(JSON.parse(t.data))},this.source.onerror=()=>{this.source.readyState===EventSource.CLOSED&&this.ask()}}async ask(){let e=await fetch(`${this.host}/inbox?token=${this.token}`).then(t=>t.text().then(()=>t.status)).catch(()=>0);if(!this.isClosed){if(e===401){document.dispatchEvent(new CustomEvent("hairspring:token"));return}this.timer=setTimeout(()=>this.open(),this.wait*(.5+Math.random()/2)),this.wait=Math.min(this.wait*2,6e5)}}take(e){let t=Date.parse(e.expires_at)<=Date.now(),o=e.clicked||e.read&&!F(e);if(t||o||this.shown.has(e.id))return;let i=(a,r)=>this.report(e.id,a,r),s=new CustomEvent("hairspring:message",{cancelable:!0,detail:{message:e,report:i}}),c=document.dispatchEvent(s);this.shown.set(e.id,c?this.show(e,i):()=>{})}async report(e,t,o){let s=o===void 0?void 0:JSON.stringify(t==="answer"?{value:o}:{dwell_ms:o}),c=`${this.host}/inbox/${encodeURIComponent(e)}/${t}?token=${this.token}`;for(let a=1e3;a<6e4&&!this.isClosed;a*=4){let r=await fetch(c,{method:"POST",keepalive:!0,body:s}).catch(()=>null);if(r&&r.status<500&&r.status!==429)return;await new Promise(d=>setTimeout(d,a))}}close(){this.isClosed=!0,clearTimeout(this.timer),this.source.close();for(let e of this.shown.values())e()}},F=({style:n})=>n!=="modal"&&n!=="toast";var k=()=>document.visibilityState==="visible";var j=n=>{try{let e=document.querySelector(n);return e&&e.getClientRects().length?e:null}catch{return null}},_=(n,e,t)=>{let o=null,i=0,s=!1,c=()=>{if(i=0,(!o||!o.isConnected)&&(o=j(e)),n.hidden=!o,!o)return;s||(s=!0,t());let h=o.getBoundingClientRect(),{offsetWidth:u,offsetHeight:m}=n,{clientWidth:x}=document.documentElement,v=h.bottom+12+m<=innerHeight||h.top<m+12,y=h.left+h.width/2,p=Math.max(8,Math.min(y-u/2,x-u-8));n.style.left=`${p}px`,n.style.top=`${v?h.bottom+12:h.top-12-m}px`,n.style.setProperty("--arrow",`${Math.max(18,Math.min(y-p,u-18))}px`),n.classList.toggle("below",v)},a=()=>{i||(i=requestAnimationFrame(c))},r=new MutationObserver(a);r.observe(document.body,{childList:!0,subtree:!0,attributes:!0});let d=new ResizeObserver(a);return d.observe(document.documentElement),addEventListener("scroll",a,{capture:!0,passive:!0}),addEventListener("resize",a),c(),()=>{cancelAnimationFrame(i),r.disconnect(),d.disconnect(),removeEventListener("scroll",a,{capture:!0}),removeEventListener("resize",a)}};var B=new Set("a abbr b blockquote br code del div em figcaption figure h1 h2 h3 h4 hr i img li mark ol p pre s small span strong sub sup table tbody td th thead tr u ul".split(" ")),V=new Set("script style template iframe object embed noscript title svg math".split(" ")),q=new Set("alt class colspan dir height href lang rowspan src target title width".split(" ")),U=new Set(["http:","https:","mailto:","tel:"]),H="hairspring-inapp",E,W=n=>window.trustedTypes?(E||(E=trustedTypes.createPolicy(H,{createHTML:e=>e})),E.createHTML(n)):n,Y=n=>{try{return U.has(new URL(n,location.href).protocol)}catch{return!1}},S=(n,e)=>{for(let t of n.childNodes){if(t.nodeType===Node.TEXT_NODE&&e.append(t.data),t.nodeType!==Node.ELEMENT_NODE||V.has(t.localName))continue;if(!B.has(t.localName)){S(t,e);continue}let o=document.createElement(t.localName);for(let{name:i,value:s}of t.attributes)i==="data-style"&&(o.style.cssText=s),q.has(i)&&((i==="href"||i==="src")&&!Y(s)||o.setAttribute(i,s));o.target&&(o.rel="noopener"),S(t,o),e.append(o)}},O=n=>{let e=n.replace(/<\w(?:"[^"]*"|'[^']*'|[^"'>])*>/g,i=>i.replace(/(\s)style(\s*=)/gi,"$1data-style$2")),t=new DOMParser().parseFromString(W(e),"text/html"),o=document.createDocumentFragment();return S(t.body,o),o};var N={en:["Close","Take a look","Message","Your answer","Send","Thank you!"],de:["Schließen","Ansehen","Nachricht","Ihre Antwort","Senden","Danke!"],es:["Cerrar","Ver","Mensaje","Su respuesta","Enviar","¡Gracias!"],fr:["Fermer","Voir","Message","Votre réponse","Envoyer","Merci !"],it:["Chiudi","Vedi","Messaggio","La sua risposta","Invia","Grazie!"],nl:["Sluiten","Bekijken","Bericht","Uw antwoord","Versturen","Dank u!"],pt:["Fechar","Ver","Mensagem","A sua resposta","Enviar","Obrigado!"]},J=["close","open","message","answer","send","thanks"],f=n=>{let e=(document.documentElement.lang||navigator.language||"").slice(0,2).toLowerCase();return(N[e]||N.en)[J.indexOf(n)]};var l=(n,e,t)=>{let o=document.createElement(n);return o.className=e,t&&(o.textContent=t),o},P=n=>{try{return["http:","https:","mailto:","tel:"].includes(new URL(n,location.href).protocol)}catch{return!1}},K=(n,e)=>{let t=l("div","answers");t.setAttribute("role","group");let o=a=>{e.answer(a);let r=l("p","thanks",f("thanks"));r.setAttribute("role","status"),r.tabIndex=-1,t.replaceWith(r),r.focus(),setTimeout(e.done,2e3)};if(n.choices&&n.choices.length){for(let a of n.choices){let r=l("button","answer",a);r.type="button",r.addEventListener("click",()=>o(a)),t.append(r)}return t}let i=l("form","answers"),s=l("input","field");s.maxLength=100,s.required=!0,s.setAttribute("aria-label",n.title||f("answer"));let c=l("button","action",f("send"));return i.append(s,c),i.addEventListener("submit",a=>{a.preventDefault(),s.value.trim()&&o(s.value.trim())}),t.append(i),t},C=(n,e,t)=>{let o=l("div","inner"),i=l("button","close");if(i.type="button",i.setAttribute("aria-label",f("close")),i.addEventListener("click",t.dismiss),e.image&&P(e.image)){let r=l("img","image");r.src=e.image,r.alt="",o.append(r)}let s=l("div","text");if(s.tabIndex=-1,e.title){let r=l("h2","title",e.title);r.id="title",s.append(r),n.setAttribute("aria-labelledby","title")}else n.setAttribute("aria-label",f("message"));let c=l("div","body");if(c.append(O(e.body||"")),s.append(c),o.append(s),!!e.survey)o.append(K(e,t));else if(e.url&&P(e.url)){let r=l("a","action",e.button||f("open"));r.href=e.url,o.append(r)}o.addEventListener("click",r=>{let d=r.target.closest("a[href]");d&&t.click(d.target!=="_blank")}),o.append(i),n.append(o)};var D=`
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
`,g,G=n=>{if(!("adoptedStyleSheets"in n)){let e=document.createElement("style");e.textContent=D;let t=document.querySelector("script[data-key]");t&&(e.nonce=t.nonce),n.append(e);return}g||(g=new CSSStyleSheet,g.replaceSync(D)),n.adoptedStyleSheets=[g]};var Q=8e3,Z=200,ee=50,te=n=>{let e=0,t=k()?performance.now():0,o=()=>{t&&(e+=performance.now()-t),t=k()?performance.now():0};return document.addEventListener("visibilitychange",o),n.push(()=>document.removeEventListener("visibilitychange",o)),()=>Math.round(e+(t&&performance.now()-t))},A={},I=(n,e)=>{let t=n.style||"banner",o=A[t]||(A[t]=[]),i={message:n,report:e};return o.push(i),o.length===1&&z(o),()=>{let s=o.indexOf(i);s>0?o.splice(s,1):s===0&&i.end()}},z=n=>{let[e]=n,t=()=>{n.shift(),n.length&&z(n)};e.end=t,oe[e.message.style||"banner"](e,t)},w=(n,e,t,o)=>{let{message:i,report:s}=n,c=document.activeElement,a=document.createElement("hairspring-message");a.dataset.style=i.style||"banner";let r=a.attachShadow({mode:"open"});G(r);let d=document.createElement(t);d.className=`box ${i.style||"banner"}`,o&&d.setAttribute("role",o);let h=!1,u=p=>{if(h)return;h=!0,p&&s(p,x());let R=a.contains(document.activeElement);for(let X of m)X();d.classList.add("gone");let T=()=>{d.close&&d.close(),a.remove(),R&&c&&c.isConnected&&c.focus(),e()};matchMedia("(prefers-reduced-motion: reduce)").matches?T():setTimeout(T,Z)},m=[],x=()=>0;return n.end=()=>u(),C(d,i,{click:p=>{s("click",x()),p&&u()},dismiss:()=>u("dismiss"),answer:p=>{s("answer",p),s("click",x())},done:()=>u()}),r.append(d),{host:a,box:d,end:u,seen:()=>{x=te(m),i.read||s("read")},escape:p=>{p.key==="Escape"&&!p.defaultPrevented&&u("dismiss")},undoes:m}},L=({host:n,seen:e})=>{document.body.append(n),e()},$=n=>{let e=n.box.firstChild;n.box.setAttribute("aria-live","polite"),e.remove(),L(n);let t=setTimeout(()=>n.box.append(e),ee);n.undoes.push(()=>clearTimeout(t))},ne=n=>[...n.querySelectorAll("a[href],button,input,select,textarea")].filter(e=>!e.disabled),oe={modal(n,e){let t=w(n,e,"dialog"),{box:o,end:i,escape:s}=t;L(t),o.addEventListener("cancel",c=>{c.preventDefault(),i("dismiss")}),o.addEventListener("click",c=>{c.target===o&&i("dismiss")}),o.addEventListener("keydown",c=>{if(s(c),c.key!=="Tab")return;let a=ne(o),r=a.indexOf(t.host.shadowRoot.activeElement);(c.shiftKey?r<=0:r===a.length-1)&&(c.preventDefault(),a[c.shiftKey?a.length-1:0].focus())}),o.showModal(),o.querySelector(".text").focus()},banner(n,e){let t=w(n,e,"section");t.box.addEventListener("keydown",t.escape),$(t)},toast(n,e){let t=w(n,e,"div","status"),{box:o,end:i,undoes:s}=t,c,a=()=>{c=setTimeout(()=>i(),Q)},r=()=>clearTimeout(c);if(o.addEventListener("pointerenter",r),o.addEventListener("focusin",r),o.addEventListener("pointerleave",a),o.addEventListener("focusout",a),o.addEventListener("keydown",t.escape),s.push(r),$(t),!n.message.survey)a();else for(let d of["pointerleave","focusout"])o.removeEventListener(d,a)},tooltip(n,e){let t=w(n,e,"div","dialog");document.addEventListener("keydown",t.escape),t.undoes.push(()=>document.removeEventListener("keydown",t.escape),_(t.box,n.message.target,()=>L(t)))}};var M;window.hairspring.inapp=(n,e)=>{M&&M.close(),M=e?new b(n,e,I):void 0};})();
