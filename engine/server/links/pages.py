"""The pages behind links: plain HTML, no script, nothing from anywhere else.

They work by keyboard and for whoever has them read out: one heading, groups with a legend, labels
that are as large as they look, and what was done said first. Colours follow the reader's own
setting, with a contrast of 4.5 to 1 or more (WCAG 2.2, 1.4.3).
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.server.links.texts import Texts

_STYLE: Final = """
:root{color-scheme:light dark;--ground:#f4f5f7;--card:#fff;--ink:#1a1d23;--soft:#555c68;
--line:#d5d9e0;--act:#1f4fd8;--on-act:#fff;--good:#0b6b3a;--good-ground:#e5f5ec;--bad:#a11919}
@media(prefers-color-scheme:dark){:root{--ground:#14161a;--card:#1e2127;--ink:#eceef2;
--soft:#a9b0bd;--line:#3a3f4a;--act:#8fb0ff;--on-act:#10131a;--good:#7fdcaa;--good-ground:#12301f;
--bad:#ff9c9c}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);
font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;overflow-wrap:anywhere}
main{max-width:36rem;margin:0 auto;padding:1.5rem 1rem 3rem}
@media(min-width:40rem){main{padding:4rem 1.5rem}}
.shop{margin:0 0 1rem;color:var(--soft);font-weight:600}
.card{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1.5rem}
@media(min-width:40rem){.card{padding:2.25rem}}
h1{margin:0 0 .5rem;font-size:1.625rem;line-height:1.25}
p{margin:0 0 1rem}
.soft{color:var(--soft)}
.said{margin:0 0 1.25rem;padding:.75rem 1rem;border-radius:.5rem;background:var(--good-ground);
color:var(--good);font-weight:600}
fieldset{margin:1.75rem 0 0;padding:0;border:0;min-width:0}
legend{padding:0;margin-bottom:.25rem;font-weight:600;font-size:1.0625rem}
.choice{display:flex;gap:.875rem;align-items:flex-start;min-height:2.75rem;padding:.75rem 0;
border-bottom:1px solid var(--line);cursor:pointer}
.choice input{flex:none;width:1.375rem;height:1.375rem;margin:.0625rem 0 0;accent-color:var(--act)}
.choice small{display:block;color:var(--soft);font-size:.875rem}
.acts{display:flex;flex-wrap:wrap;gap:.75rem;margin-top:1.75rem}
button,.act{display:inline-block;min-height:2.75rem;padding:.625rem 1.25rem;border-radius:.5rem;
border:1px solid var(--act);background:var(--act);color:var(--on-act);font:inherit;font-weight:600;
text-align:center;text-decoration:none;cursor:pointer}
.other{background:transparent;color:var(--act)}
.last{margin:1.75rem 0 0;padding-top:1.5rem;border-top:1px solid var(--line)}
.last button{color:var(--bad);border-color:var(--bad)}
a{color:var(--act)}
:focus-visible{outline:3px solid var(--act);outline-offset:3px;border-radius:.25rem}
@media(max-width:30rem){button,.act{width:100%}}
@media(forced-colors:active){.card,button{border:1px solid}}
"""

_DIGEST: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_DIGEST}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""Nobody frames them, finds them by a search, or learns their address, which is a token."""


class Choice(msgspec.Struct, frozen=True):
    """One box on the preference page.

    Attributes:
        group: `channel` or `topic`.
        key: Its id.
        label: In words.
        detail: In smaller ones; may be empty.
        chosen: Whether it is ticked.
    """

    group: str
    key: str
    label: str
    detail: str
    chosen: bool


def preferences_page(
    texts: Texts, language: str, shop: str, choices: Sequence[Choice], said: str = ""
) -> web.Response:
    """The preference centre; `said` is what was done just now."""
    fieldsets = "".join(
        [
            _fieldset(texts[f"{group}s"], [one for one in choices if one.group == group])
            for group in ("channel", "topic")
            if any(one.group == group for one in choices)
        ]
    )
    content = (
        f"<h1>{_text(texts['preferences'])}</h1>"
        f'<p class="soft">{_text(texts["preferences_lead"], shop=shop)}</p>'
        f'<form method="post">{fieldsets}'
        f'<div class="acts"><button name="do" value="save">{_text(texts["save"])}</button></div>'
        f'<div class="last"><p class="soft">{_text(texts["still"])}</p>'
        f'<button class="other" name="do" value="leave">{_text(texts["leave_all"])}</button></div>'
        "</form>"
    )
    return _page(texts["preferences"], language, shop, content, said=said)


def asking_page(
    texts: Texts, language: str, shop: str, *, lead: str, topic: str, preferences: str
) -> web.Response:
    """Whether somebody wants to unsubscribe: what only looks at the link must not do it."""
    buttons = f'<button name="scope" value="channel">{_text(texts["leave_channel"])}</button>'
    if topic:
        label = _text(texts["leave_topic"], topic=topic)
        buttons += f'<button class="other" name="scope" value="topic">{label}</button>'
    content = (
        f"<h1>{_text(texts['unsubscribe'])}</h1><p>{_text(lead)}</p>"
        f'<form method="post"><div class="acts">{buttons}</div></form>'
        f"{_manage(texts, preferences)}"
    )
    return _page(texts["unsubscribe"], language, shop, content)


def done_page(
    texts: Texts, language: str, shop: str, *, lead: str, preferences: str
) -> web.Response:
    """Somebody is unsubscribed."""
    content = (
        f'<h1>{_text(texts["unsubscribed"])}</h1><p role="status">{_text(lead)}</p>'
        f'<p class="soft">{_text(texts["still"])}</p>{_manage(texts, preferences)}'
    )
    return _page(texts["unsubscribed"], language, shop, content)


def survey_page(
    texts: Texts, language: str, shop: str, *, value: str, thanks: bool = False
) -> web.Response:
    """An answer to be sent, since what only looks at the link must not give it; or that it was."""
    if thanks:
        content = f'<h1 role="status">{_text(texts["survey_thanks"])}</h1>'
        return _page(texts["survey_thanks"], language, shop, content)
    lead = texts["survey_lead"].format(value=value)
    content = (
        f"<h1>{_text(texts['survey'])}</h1><p>{_text(lead)}</p>"
        f'<form method="post"><div class="acts"><button>{_text(texts["survey_send"])}</button>'
        "</div></form>"
    )
    return _page(texts["survey"], language, shop, content)


def invalid_page(texts: Texts, language: str, shop: str) -> web.Response:
    """404: nothing here was ever signed like that."""
    content = f"<h1>{_text(texts['invalid'])}</h1><p>{_text(texts['invalid_lead'])}</p>"
    return _page(texts["invalid"], language, shop, content, status=404)


def expired_page(texts: Texts, language: str, shop: str, address: str = "") -> web.Response:
    """410: it was good once; of a click, with the address that was signed into it."""
    content = f"<h1>{_text(texts['expired'])}</h1>"
    if address:
        shown = escape(address)
        content += (
            f"<p>{_text(texts['expired_click'])} "
            f'<a rel="noreferrer nofollow" href="{shown}">{shown}</a></p>'
        )
    else:
        content += f"<p>{_text(texts['expired_lead'])}</p>"
    return _page(texts["expired"], language, shop, content, status=410)


def _fieldset(legend: str, choices: Sequence[Choice]) -> str:
    return f"<fieldset><legend>{_text(legend)}</legend>{''.join(map(_box, choices))}</fieldset>"


def _box(one: Choice) -> str:
    key, detail = escape(one.key), f"<small>{escape(one.detail)}</small>" if one.detail else ""
    return (
        f'<input type="hidden" name="shown_{one.group}" value="{key}">'
        f'<label class="choice"><input type="checkbox" name="{one.group}" value="{key}"'
        f"{' checked' if one.chosen else ''}><span>{escape(one.label)}{detail}</span></label>"
    )


def _manage(texts: Texts, preferences: str) -> str:
    return (
        f'<div class="last"><a class="act other" href="{escape(preferences)}">'
        f"{_text(texts['manage'])}</a></div>"
    )


def _text(text: str, **values: str) -> str:
    return escape(text.format(**values) if values else text, quote=False)


def _page(
    title: str, language: str, shop: str, content: str, *, said: str = "", status: int = 200
) -> web.Response:
    # What was done stands in the title too: that is what is read out first.
    head = f"{said} " if said else ""
    told = f'<p class="said" role="status">{_text(said)}</p>' if said else ""
    body = (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{_text(head + title)} · {_text(shop)}</title><style>{_STYLE}</style></head>"
        f'<body><main><p class="shop">{_text(shop)}</p><div class="card">{told}{content}</div>'
        "</main></body></html>"
    )
    return web.Response(text=body, status=status, headers=HEADERS)
