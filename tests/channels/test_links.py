from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from channels.links import Links, MessageLinks, Tracking, beside_links, long_id, short_id, with_utm
from channels.rendering import Rendered
from channels.templates.plaintext import plain_text
from channels.tokens import LinkFacts, Signer, TokenInvalid, unpack_facts

NOW = 1_767_225_600_000
DAY = 86_400_000
SIGNER = Signer(["key"])
ID = "0123456789abcdef" * 2
FACTS = LinkFacts("u", short_id(ID), "email", "cart", short_id(ID), "s", "t", "b", NOW)


def links(
    shop: Tracking | None = None, /, *, channel: str = "email", **campaign: Any
) -> MessageLinks:
    facts = LinkFacts("u", short_id(ID), channel, "cart", short_id(ID), "s", "t", "b", NOW)
    about = {"id": "cart", "purpose": "marketing", **campaign}
    return Links("https://go.example/hs/", SIGNER, shop).of(facts, about)


def put(body: str, shop: Tracking | None = None, /, **campaign: Any) -> str:
    rendered = Rendered(front={}, body=body, html=True, undefined=0)
    return links(shop, **campaign).put_into(rendered).body


def led(body: str) -> list[str]:
    """Where the links of a body lead in the end."""
    tokens = re.findall(r'(?i)href="https://go\.example/hs/c/([^"]+)"', body)
    return [unpack_facts(SIGNER.read("click", unescape(one), NOW)).about for one in tokens]


def test_links_lead_over_us_to_where_they_led() -> None:
    body = put(
        '<a class="x" href="https://a.example/?p=1&amp;q=2">A</a> '
        "<A HREF='http://b.example/#top'>B</A> <a href=https://c.example>C</a>"
        '<map><area shape="rect" href="https://d.example/"></map>'
    )
    assert led(body) == [
        "https://a.example/?p=1&q=2",
        "http://b.example/#top",
        "https://c.example",
        "https://d.example/",
    ]
    assert '<a class="x" href=' in body


@pytest.mark.parametrize(
    "tag",
    [
        '<a href="mailto:ann@example.com">',
        '<a href="tel:+331">',
        '<a href="#top">',
        '<a href="javascript:alert(1)">',
        '<a href="/relative">',
        '<a href="https://">',
        '<a href="https://[bad/">',
        '<a name="here">',
        '<a href="https://a.example/" clicktracking="off">',
        '<a clicktracking=off href="https://a.example/">',
        '<abbr href="https://a.example/">',
        '<img src="https://a.example/a.png">',
        f'<a href="https://a.example/{"x" * 2_000}">',
        '<a href="https://go.example/hs/u/token">',
        '<a href="https://go.example/hs/preferences/token">',
        "<a data-x=\"href='https://a.example/'\">",
    ],
)
def test_what_is_no_link_to_follow_stays_as_it_is(tag: str) -> None:
    assert put(tag, Tracking(opens=False)) == tag


def test_an_address_with_a_line_break_leads_nowhere_else() -> None:
    tag = '<a href="https://a.example/&#13;&#10;Set-Cookie: x">'
    assert put(tag, Tracking(opens=False)) == tag


@pytest.mark.parametrize(
    ("body", "end"),
    [("<html><body><p>x</p></body></html>", "</body></html>"), ("<p>x</p>", "")],
)
def test_the_pixel_stands_at_the_end_of_the_body(body: str, end: str) -> None:
    found = re.search(r'<img src="https://go\.example/hs/o/([^"]+)\.gif"[^>]*>(.*)$', put(body))
    assert found is not None
    assert found[2] == end
    facts = unpack_facts(SIGNER.read("open", found[1], NOW))
    assert (facts.user_id, long_id(facts.message), facts.about) == ("u", ID, "")


def test_the_pixel_says_nothing_in_the_text_part() -> None:
    assert plain_text(put("<p>Hello</p>")) == "Hello\n"


def test_a_message_rendered_again_has_the_same_links() -> None:
    body = '<a href="https://a.example/">A</a>'
    assert put(body) == put(body)


@pytest.mark.parametrize(
    ("tracking", "campaign", "clicks", "opens"),
    [
        (Tracking(), {}, True, True),
        (Tracking(clicks=False), {}, False, True),
        (Tracking(opens=False), {}, True, False),
        (Tracking(), {"tracking": {"opens": False}}, True, False),
        (Tracking(clicks=False), {"tracking": {"clicks": True}}, True, True),
        (Tracking(), {"purpose": "transactional"}, False, False),
        (Tracking(transactional=True), {"purpose": "transactional"}, True, True),
        (Tracking(), {"purpose": "transactional", "tracking": {"clicks": True}}, True, False),
    ],
)
def test_the_campaign_says_over_the_shop_what_is_tracked(
    tracking: Tracking, campaign: dict[str, Any], *, clicks: bool, opens: bool
) -> None:
    body = put('<a href="https://a.example/">A</a>', tracking, **campaign)
    assert ("/hs/c/" in body, "/hs/o/" in body) == (clicks, opens)


def test_utm_parameters_come_to_links_that_have_none_of_their_own() -> None:
    tracking = Tracking(utm={"source": "shop", "campaign": "{campaign} {variant}", "term": ""})
    body = put(
        '<a href="https://a.example/?utm_source=mine#x">', tracking, tracking={"utm": {"term": "t"}}
    )
    assert led(body) == ["https://a.example/?utm_source=mine&utm_campaign=cart%20b&utm_term=t#x"]


@pytest.mark.parametrize(
    ("address", "with_it"),
    [
        ("https://a.example", "https://a.example?utm_source=s"),
        ("https://a.example/?", "https://a.example/?utm_source=s"),
        ("https://a.example/?a=1", "https://a.example/?a=1&utm_source=s"),
        ("https://a.example/#f?x", "https://a.example/?utm_source=s#f?x"),
        ("https://a.example/?utm_source", "https://a.example/?utm_source"),
    ],
)
def test_where_utm_parameters_go(address: str, with_it: str) -> None:
    assert with_utm(address, {"source": "s"}, FACTS) == with_it


def test_utm_is_added_where_clicks_are_not_followed() -> None:
    body = put('<a href="https://a.example/">', Tracking(clicks=False, utm={"source": "s"}))
    assert 'href="https://a.example/?utm_source=s"' in body


def test_a_push_messages_url_is_followed_and_a_text_mail_is_left_alone() -> None:
    push = Rendered(front={"url": "https://a.example/"}, body="x", html=False, undefined=0)
    url = links(channel="push").put_into(push).front["url"]
    assert url.startswith("https://go.example/hs/c/")
    text = Rendered(front={}, body="see https://a.example/", html=False, undefined=0)
    assert links().put_into(text) is text


def test_leaving_is_possible_for_sixty_days_whatever_expires() -> None:
    names = links(Tracking(expires_ms=DAY)).names
    token = names["unsubscribe"].rpartition("/")[2]
    assert SIGNER.read("unsubscribe", token, NOW + 59 * DAY)
    with pytest.raises(TokenInvalid):
        SIGNER.read("unsubscribe", token, NOW + 61 * DAY)
    assert names["preferences"].startswith("https://go.example/hs/preferences/")


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://localhost:8080", "http://localhost:9000"),
        ("http://localhost:8081", "http://localhost:8081"),
        ("https://shop.example/hs/", "https://shop.example/hs"),
    ],
)
def test_a_shop_without_an_address_of_its_own_has_the_port_served(url: str, base: str) -> None:
    assert Links(url, SIGNER, port=9000).base == base


def test_only_marketing_offers_a_mail_program_to_unsubscribe() -> None:
    assert links().list_unsubscribe == links().names["unsubscribe"]
    assert not links(purpose="transactional").list_unsubscribe


@pytest.mark.parametrize("effect_id", [ID, "no hex", "", "ABCDEF"])
def test_ids_are_packed_and_unpacked(effect_id: str) -> None:
    assert long_id(short_id(effect_id)) == effect_id


def test_something_is_put_beside_each_link_that_leads_to_the_web() -> None:
    body = '<a href="https://a.example/?x=1&amp;y=2">A</a> <a href="mailto:a@b">B</a><p>C</p>'
    assert beside_links(body, lambda leads_to: f"[{leads_to}]") == (
        '<a href="https://a.example/?x=1&amp;y=2">[https://a.example/?x=1&y=2]A</a> '
        '<a href="mailto:a@b">B</a><p>C</p>'
    )
