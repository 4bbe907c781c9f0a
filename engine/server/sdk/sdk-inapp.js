(()=>{var b=class{constructor(e,n,o){this.host=e,this.token=n,this.show=o,this.shown=new Map,this.wait=3e4,this.open()}open(){let e=this.last?`&last_event_id=${this.last}`:"";this.source=new EventSource(`${this.host}/inbox/stream?token=${this.token}${e}`),this.source.onopen=()=>{this.wait=3e4},this.source.onmessage=n=>{this.last=n.lastEventId,this.take(JSON.parse(n.data))},this.source.onerror=()=>{this.source.readyState===EventSource.CLOSED&&this.ask()}}async ask(){let e=await fetch(`${this.host}/inbox?token=${this.token}`).then(n=>n.status,()=>0);if(!this.isClosed){if(e===401){document.dispatchEvent(new CustomEvent("hairspring:token"));return}this.timer=setTimeout(()=>this.open(),this.wait*(.5+Math.random()/2)),this.wait=Math.min(this.wait*2,6e5)}}take(e){let n=Date.parse(e.expires_at)<=Date.now(),o=e.clicked||e.read&&!R(e);if(n||o||this.shown.has(e.id))return;let i=(s,r)=>this.report(e.id,s,r),a=new CustomEvent("hairspring:message",{cancelable:!0,detail:{message:e,report:i}}),c=document.dispatchEvent(a);this.shown.set(e.id,c?this.show(e,i):()=>{})}async report(e,n,o){let i=o===void 0?void 0:JSON.stringify({value:o}),a=`${this.host}/inbox/${encodeURIComponent(e)}/${n}?token=${this.token}`;for(let c=1e3;c<6e4&&!this.isClosed;c*=4){let s=await fetch(a,{method:"POST",keepalive:!0,body:i}).catch(()=>null);if(s&&s.status<500&&s.status!==429)return;await new Promise(r=>setTimeout(r,c))}}close(){this.isClosed=!0,clearTimeout(this.timer),this.source.close();for(let e of this.shown.values())e()}},R=({style:t})=>t!=="modal"&&t!=="toast";var X=t=>{try{let e=document.querySelector(t);return e&&e.getClientRects().length?e:null}catch{return null}},T=(t,e,n)=>{let o=null,i=0,a=!1,c=()=>{if(i=0,(!o||!o.isConnected)&&(o=X(e)),t.hidden=!o,!o)return;a||(a=!0,n());let h=o.getBoundingClientRect(),{offsetWidth:u,offsetHeight:f}=t,{clientWidth:L}=document.documentElement,v=h.bottom+12+f<=innerHeight||h.top<f+12,p=h.left+h.width/2,x=Math.max(8,Math.min(p-u/2,L-u-8));t.style.left=`${x}px`,t.style.top=`${v?h.bottom+12:h.top-12-f}px`,t.style.setProperty("--arrow",`${Math.max(18,Math.min(p-x,u-18))}px`),t.classList.toggle("below",v)},s=()=>{i||(i=requestAnimationFrame(c))},r=new MutationObserver(s);r.observe(document.body,{childList:!0,subtree:!0,attributes:!0});let d=new ResizeObserver(s);return d.observe(document.documentElement),addEventListener("scroll",s,{capture:!0,passive:!0}),addEventListener("resize",s),c(),()=>{cancelAnimationFrame(i),r.disconnect(),d.disconnect(),removeEventListener("scroll",s,{capture:!0}),removeEventListener("resize",s)}};var F=new Set("a abbr b blockquote br code del div em figcaption figure h1 h2 h3 h4 hr i img li mark ol p pre s small span strong sub sup table tbody td th thead tr u ul".split(" ")),j=new Set("script style template iframe object embed noscript title svg math".split(" ")),B=new Set("alt class colspan dir height href lang rowspan src target title width".split(" ")),q=new Set(["http:","https:","mailto:","tel:"]),U="hairspring-inapp",y,V=t=>window.trustedTypes?(y||(y=trustedTypes.createPolicy(U,{createHTML:e=>e})),y.createHTML(t)):t,H=t=>{try{return q.has(new URL(t,location.href).protocol)}catch{return!1}},k=(t,e)=>{for(let n of t.childNodes){if(n.nodeType===Node.TEXT_NODE&&e.append(n.data),n.nodeType!==Node.ELEMENT_NODE||j.has(n.localName))continue;if(!F.has(n.localName)){k(n,e);continue}let o=document.createElement(n.localName);for(let{name:i,value:a}of n.attributes)i==="data-style"&&(o.style.cssText=a),B.has(i)&&((i==="href"||i==="src")&&!H(a)||o.setAttribute(i,a));o.target&&(o.rel="noopener"),k(n,o),e.append(o)}},_=t=>{let e=t.replace(/<\w(?:"[^"]*"|'[^']*'|[^"'>])*>/g,i=>i.replace(/(\s)style(\s*=)/gi,"$1data-style$2")),n=new DOMParser().parseFromString(V(e),"text/html"),o=document.createDocumentFragment();return k(n.body,o),o};var N={en:["Close","Take a look","Message","Your answer","Send","Thank you!"],de:["Schließen","Ansehen","Nachricht","Ihre Antwort","Senden","Danke!"],es:["Cerrar","Ver","Mensaje","Su respuesta","Enviar","¡Gracias!"],fr:["Fermer","Voir","Message","Votre réponse","Envoyer","Merci !"],it:["Chiudi","Vedi","Messaggio","La sua risposta","Invia","Grazie!"],nl:["Sluiten","Bekijken","Bericht","Uw antwoord","Versturen","Dank u!"],pt:["Fechar","Ver","Mensagem","A sua resposta","Enviar","Obrigado!"]},W=["close","open","message","answer","send","thanks"],m=t=>{let e=(document.documentElement.lang||navigator.language||"").slice(0,2).toLowerCase();return(N[e]||N.en)[W.indexOf(t)]};var l=(t,e,n)=>{let o=document.createElement(t);return o.className=e,n&&(o.textContent=n),o},O=t=>{try{return["http:","https:","mailto:","tel:"].includes(new URL(t,location.href).protocol)}catch{return!1}},Y=(t,e)=>{let n=l("div","answers");n.setAttribute("role","group");let o=s=>{e.answer(s);let r=l("p","thanks",m("thanks"));r.setAttribute("role","status"),r.tabIndex=-1,n.replaceWith(r),r.focus(),setTimeout(e.done,2e3)};if(t.choices&&t.choices.length){for(let s of t.choices){let r=l("button","answer",s);r.type="button",r.addEventListener("click",()=>o(s)),n.append(r)}return n}let i=l("form","answers"),a=l("input","field");a.maxLength=100,a.required=!0,a.setAttribute("aria-label",t.title||m("answer"));let c=l("button","action",m("send"));return i.append(a,c),i.addEventListener("submit",s=>{s.preventDefault(),a.value.trim()&&o(a.value.trim())}),n.append(i),n},C=(t,e,n)=>{let o=l("div","inner"),i=l("button","close");if(i.type="button",i.setAttribute("aria-label",m("close")),i.addEventListener("click",n.dismiss),e.image&&O(e.image)){let r=l("img","image");r.src=e.image,r.alt="",o.append(r)}let a=l("div","text");if(a.tabIndex=-1,e.title){let r=l("h2","title",e.title);r.id="title",a.append(r),t.setAttribute("aria-labelledby","title")}else t.setAttribute("aria-label",m("message"));let c=l("div","body");if(c.append(_(e.body||"")),a.append(c),o.append(a),!!e.survey)o.append(Y(e,n));else if(e.url&&O(e.url)){let r=l("a","action",e.button||m("open"));r.href=e.url,o.append(r)}o.addEventListener("click",r=>{let d=r.target.closest("a[href]");d&&n.click(d.target!=="_blank")}),o.append(i),t.append(o)};var P=`
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
`,g,D=t=>{if(!("adoptedStyleSheets"in t)){let e=document.createElement("style");e.textContent=P;let n=document.querySelector("script[data-key]");n&&(e.nonce=n.nonce),t.append(e);return}g||(g=new CSSStyleSheet,g.replaceSync(P)),t.adoptedStyleSheets=[g]};var J=8e3,K=200,Q=50,E={},$=(t,e)=>{let n=t.style||"banner",o=E[n]||(E[n]=[]),i={message:t,report:e};return o.push(i),o.length===1&&I(o),()=>{let a=o.indexOf(i);a>0?o.splice(a,1):a===0&&i.end()}},I=t=>{let[e]=t,n=()=>{t.shift(),t.length&&I(t)};e.end=n,ee[e.message.style||"banner"](e,n)},w=(t,e,n,o)=>{let{message:i,report:a}=t,c=document.activeElement,s=document.createElement("hairspring-message");s.dataset.style=i.style||"banner";let r=s.attachShadow({mode:"open"});D(r);let d=document.createElement(n);d.className=`box ${i.style||"banner"}`,o&&d.setAttribute("role",o);let h=!1,u=p=>{if(h)return;h=!0,p&&a(p);let x=s.contains(document.activeElement);for(let z of f)z();d.classList.add("gone");let M=()=>{d.close&&d.close(),s.remove(),x&&c&&c.isConnected&&c.focus(),e()};matchMedia("(prefers-reduced-motion: reduce)").matches?M():setTimeout(M,K)},f=[];return t.end=()=>u(),C(d,i,{click:p=>{a("click"),p&&u()},dismiss:()=>u("dismiss"),answer:p=>{a("answer",p),a("click")},done:()=>u()}),r.append(d),{host:s,box:d,end:u,seen:()=>{i.read||a("read")},escape:p=>{p.key==="Escape"&&!p.defaultPrevented&&u("dismiss")},undoes:f}},S=({host:t,seen:e})=>{document.body.append(t),e()},G=t=>{let e=t.box.firstChild;t.box.setAttribute("aria-live","polite"),e.remove(),S(t);let n=setTimeout(()=>t.box.append(e),Q);t.undoes.push(()=>clearTimeout(n))},Z=t=>[...t.querySelectorAll("a[href],button,input,select,textarea")].filter(e=>!e.disabled),ee={modal(t,e){let n=w(t,e,"dialog"),{box:o,end:i,escape:a}=n;S(n),o.addEventListener("cancel",c=>{c.preventDefault(),i("dismiss")}),o.addEventListener("click",c=>{c.target===o&&i("dismiss")}),o.addEventListener("keydown",c=>{if(a(c),c.key!=="Tab")return;let s=Z(o),r=s.indexOf(n.host.shadowRoot.activeElement);(c.shiftKey?r<=0:r===s.length-1)&&(c.preventDefault(),s[c.shiftKey?s.length-1:0].focus())}),o.showModal(),o.querySelector(".text").focus()},banner(t,e){let n=w(t,e,"section");n.box.addEventListener("keydown",n.escape),G(n)},toast(t,e){let n=w(t,e,"div","status"),{box:o,end:i,undoes:a}=n,c,s=()=>{c=setTimeout(()=>i(),J)},r=()=>clearTimeout(c);if(o.addEventListener("pointerenter",r),o.addEventListener("focusin",r),o.addEventListener("pointerleave",s),o.addEventListener("focusout",s),o.addEventListener("keydown",n.escape),a.push(r),G(n),!t.message.survey)s();else for(let d of["pointerleave","focusout"])o.removeEventListener(d,s)},tooltip(t,e){let n=w(t,e,"div","dialog");document.addEventListener("keydown",n.escape),n.undoes.push(()=>document.removeEventListener("keydown",n.escape),T(n.box,t.message.target,()=>S(n)))}};var A;window.hairspring.inapp=(t,e)=>{A&&A.close(),A=e?new b(t,e,$):void 0};})();
