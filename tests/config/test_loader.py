from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config import (
    ContentInvalid,
    Shop,
    ShopInvalid,
    decode_content,
    demo_shop,
    encode_content,
    load_folder,
    load_shop,
    plan_id_of,
    read_folder,
)
from config.folder import FILE_BYTES_MAX
from config.schema import CAMPAIGN as CAMPAIGN_KEYS
from config.schema import ENTER, STEP_KEYS
from config.yaml12 import compose, plain
from engine.core.steps.kinds import Send

if TYPE_CHECKING:
    from pathlib import Path

DEMO = read_folder(demo_shop())
TEMPLATE = "---\nsubject: Hi\n---\n<p>Hi</p>\n"
CAMPAIGN = """
campaign: a
enter: {event: Signed Up}
steps: [{send: email, template: hello, id: hello}]
"""
SMALL = {"campaigns/a.yaml": CAMPAIGN, "templates/hello.email.liquid": TEMPLATE}


def test_the_demo_shop_has_no_fault_and_no_warning() -> None:
    shop = load_folder(demo_shop(), env={})
    assert shop.warnings == []
    on_the_page = {"before-you-go", "checkout-help", "product-advice", "season-letter"}
    by_event = {"cart-abandonment", "welcome", "order-receipt"}
    assert set(shop.plan.campaigns) == by_event | on_the_page | {"what-is-stuck"}
    for campaign in shop.plan.campaigns.values():
        assert all(not step.id.startswith("steps.") for step in campaign.steps)


def test_the_templates_of_the_demo_shop_render_strictly_for_a_full_event() -> None:
    event = {
        "name": "Monstera",
        "price": 49.9,
        "currency": "EUR",
        "url": "https://fern-and-oak.example/monstera",
        "order_id": "A-17",
        "total": 1203.05,
        "products": [{"name": "Monstera", "quantity": 2}],
    }
    context = {
        "user": {"first_name": "Ada"},
        "event": event,
        "campaign": {"id": "x"},
        "links": {"unsubscribe": "https://x/u/1", "preferences": "https://x/preferences/1"},
    }
    rendered = {
        key: template.render(context, strict=True)
        for key, template in load_shop(DEMO).templates.items()
    }
    assert rendered["cart-reminder", "email"].front["subject"] == "Monstera is still in your cart"
    assert "€49.90" in rendered["cart-reminder", "email"].body
    assert "€1,203.05" in rendered["order-receipt", "email"].body
    assert all(one.body.strip() and one.undefined == 0 for one in rendered.values())


def test_the_demo_shop_addresses_a_stranger_without_a_hole_in_the_subject() -> None:
    for (name, channel), template in load_shop(DEMO).templates.items():
        rendered = template.render({"user": {}, "event": {"order_id": "A-17"}})
        heads = [rendered.front[key] for key in ("subject", "title") if key in rendered.front]
        assert heads or channel == "sms", name
        assert all(head and "  " not in head and not head.startswith(" ") for head in heads)


def test_what_the_demo_shop_says_of_a_basket_in_the_page_is_gone_in_two_days() -> None:
    shop = load_shop(DEMO)
    shown = {
        step.template
        for campaign in shop.plan.campaigns.values()
        if "Order Completed" in campaign.exit_events  # what a purchase makes untrue
        for step in campaign.steps
        if isinstance(step, Send) and "in_app" in step.channels
    }
    assert {"cart-saved", "cart-reminder", "before-you-go", "checkout-help"} <= shown
    for name in shown:
        assert shop.templates[name, "in_app"].render({}).front["expires"] == "2d", name


def test_a_plan_is_named_by_its_content_alone() -> None:
    shop = load_shop(SMALL)
    backwards = load_shop(dict(reversed(SMALL.items())))
    beside = load_shop({**SMALL, "README.md": "x", "campaigns/notes.txt": "y"})
    assert shop.plan.id == backwards.plan.id == beside.plan.id == plan_id_of(shop.content)
    assert len(shop.plan.id) == 32
    changed = load_shop({**SMALL, "templates/hello.email.liquid": TEMPLATE + " "})
    assert changed.plan.id != shop.plan.id


def test_a_shop_loads_again_from_the_content_of_its_plan() -> None:
    shop = load_shop(DEMO, env={})
    again = load_shop(decode_content(shop.content))
    assert again.plan.id == shop.plan.id
    assert again.content == shop.content
    assert list(again.plan.campaigns) == list(shop.plan.campaigns)
    assert again.settings == shop.settings


def test_the_content_of_a_plan_holds_no_secret_of_the_environment() -> None:
    files = {**SMALL, "hairspring.toml": '[keys]\nadmin = "env:ADMIN"\n'}
    shop = load_shop(files, env={"ADMIN": "open-sesame"})
    assert shop.settings.keys.admin == "open-sesame"
    assert b"open-sesame" not in shop.content
    assert load_shop(files, env={"ADMIN": "other"}).plan.id == shop.plan.id
    assert load_shop(decode_content(shop.content)).settings.keys.admin == ""


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'{"version":1,"files":{"a":1}}', b'{"version":1,"files":']
)
def test_bytes_that_are_no_content_are_refused(content: bytes) -> None:
    with pytest.raises(ContentInvalid, match="no content of a plan"):
        decode_content(content)


def test_content_of_a_newer_version_is_refused_with_what_to_do() -> None:
    content = msgspec.json.encode({"version": 2, "files": {}})
    with pytest.raises(ContentInvalid, match="version 2") as caught:
        decode_content(content)
    assert "newer" in caught.value.hint


def test_equal_files_make_equal_bytes() -> None:
    backwards = {name: DEMO[name] for name in sorted(DEMO, reverse=True)}
    assert encode_content(backwards) == encode_content(DEMO)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_only_the_files_of_a_shop_are_read(tmp_path: Path) -> None:
    more = {
        "README.md": "x",
        "data/hairspring.db": "x",
        "campaigns/.hidden.yaml": "x",
        "campaigns/a.yaml~": "x",
        "elsewhere/b.yaml": "x",
    }
    write(tmp_path, {**SMALL, "hairspring.toml": "", **more})
    assert read_folder(tmp_path) == {**SMALL, "hairspring.toml": ""}
    assert list(read_folder(tmp_path)) == ["hairspring.toml", *SMALL]


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, SMALL)
    (tmp_path / "hairspring.toml").write_bytes(b"\xef\xbb\xbf[shop]\nname = 'x'\n")
    assert load_folder(tmp_path).settings.shop.name == "x"


def test_files_that_cannot_be_read_are_told_with_all_other_faults(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    write(shop, {**SMALL, "hairspring.toml": "[shop]\nnmae = 1\n"})
    (shop / "campaigns/b.yaml").write_bytes(b"campaign: b\ndescription: caf\xe9\n")
    (shop / "campaigns/c.yaml").write_text("#" * (FILE_BYTES_MAX + 1))
    (tmp_path / "secret.yaml").write_text("campaign: secret\n")
    (shop / "campaigns/d.yaml").symlink_to(tmp_path / "secret.yaml")
    (shop / "campaigns/e.yaml").symlink_to("nowhere.yaml")
    os.mkfifo(shop / "campaigns/f.yaml")
    (shop / "campaigns/g.yaml").symlink_to("g.yaml")
    with pytest.raises(ShopInvalid) as caught:
        load_folder(shop)
    told = [f"{fault.path}:{fault.line} {fault.message[:20]}" for fault in caught.value.faults]
    assert told == [
        "campaigns/b.yaml:2 not text in UTF-8: t",
        "campaigns/c.yaml:1 has 524289 bytes",
        "campaigns/d.yaml:1 a link out of the sh",
        "campaigns/e.yaml:1 a link to what is no",
        "campaigns/f.yaml:1 no regular file",
        "campaigns/g.yaml:1 a link that leads to",
        "hairspring.toml:2 unknown key shop.nma",
    ]
    with pytest.raises(ShopInvalid) as caught:
        read_folder(shop)
    unread = [f"campaigns/{name}.yaml" for name in "bcdefg"]
    assert [fault.path for fault in caught.value.faults] == unread


def test_the_hint_names_the_folder_as_a_shell_takes_it(tmp_path: Path) -> None:
    """Of two shops that are compared, whose fault it is."""
    folder = tmp_path / "my shop"
    (folder / "campaigns").mkdir(parents=True)
    (folder / "campaigns" / "a.yaml").write_text("broken")
    with pytest.raises(ShopInvalid) as caught:
        load_folder(folder)
    assert caught.value.hint == f"hairspring check '{folder}' lists every fault"


def test_a_folder_with_the_name_of_a_file_is_a_fault(tmp_path: Path) -> None:
    write(tmp_path, SMALL)
    (tmp_path / "campaigns/x.yaml").mkdir()
    (tmp_path / "campaigns/old").mkdir()
    (tmp_path / "templates/a.email.liquid").mkdir(parents=True)
    with pytest.raises(ShopInvalid) as caught:
        load_folder(tmp_path)
    assert [fault.path for fault in caught.value.faults] == [
        "campaigns/x.yaml",
        "templates/a.email.liquid",
    ]
    assert [warning.path for warning in caught.value.warnings] == ["campaigns/old"]


def test_what_stands_where_the_campaigns_should_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"hairspring.toml": "[shop]\nnmae = 1\n", "campaigns": "no folder"})
    with pytest.raises(ShopInvalid) as caught:
        load_folder(tmp_path)
    assert [fault.message for fault in caught.value.faults] == [
        "cannot be read: Not a directory",
        "unknown key shop.nmae",
    ]


def test_the_byte_that_is_no_utf_8_is_told_with_its_place(tmp_path: Path) -> None:
    write(tmp_path, SMALL)
    (tmp_path / "campaigns/b.yaml").write_bytes(b"campaign: b\ndescription: \xc3\xa9 caf\xe9\n")
    with pytest.raises(ShopInvalid) as caught:
        load_folder(tmp_path)
    assert [str(fault) for fault in caught.value.faults] == [
        "campaigns/b.yaml:2: not text in UTF-8: the byte E9 in column 19; save the file as UTF-8"
    ]


def test_a_template_that_cannot_be_read_is_not_told_to_be_missing_as_well(tmp_path: Path) -> None:
    write(tmp_path, {**SMALL, "campaigns/b.yaml": CAMPAIGN.replace(": a", ": b", 1)})
    template = next((tmp_path / "templates").iterdir())
    template.write_bytes(b"\xff")
    with pytest.raises(ShopInvalid) as caught:
        load_folder(tmp_path)
    assert [fault.path for fault in caught.value.faults] == [f"templates/{template.name}"]


def test_a_file_whose_name_is_no_utf_8_is_to_be_renamed() -> None:
    with pytest.raises(ShopInvalid) as caught:
        load_shop({**SMALL, "campaigns/\udcff.yaml": CAMPAIGN})
    assert [str(fault) for fault in caught.value.faults] == [
        "campaigns/?.yaml:1: its name is not text in UTF-8; rename it"
    ]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_files_of_any_editor_are_read_and_their_lines_counted(
    tmp_path: Path, mark: str, end: str
) -> None:
    write(tmp_path, SMALL)
    bad = CAMPAIGN.replace("campaign: a", "campaign: b", 1).rstrip() + "\nnope: 1\n"
    for name, text in (("hairspring.toml", "[shop]\nname = 'x'\n"), ("campaigns/b.yaml", bad)):
        data = mark + text.replace("\n", end)
        (tmp_path / name).write_bytes(data.encode())
    with pytest.raises(ShopInvalid) as caught:
        load_folder(tmp_path)
    line = bad.count("\n")
    (told,) = caught.value.faults
    assert (told.path, told.line) == ("campaigns/b.yaml", line)
    assert told.message == "unknown key nope"


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("Summer Sale!", "summer-sale"),
        ("Ünï_cödé", "uni-code"),
        ("-a", "a"),
        ("a" * 120, "a" * 100),
        ("☃", "cart-abandonment"),
    ],
)
def test_an_odd_name_of_a_campaign_is_told_with_one_that_is_right(name: str, right: str) -> None:
    with pytest.raises(ShopInvalid) as caught:
        load_shop(
            {**SMALL, "campaigns/a.yaml": CAMPAIGN.replace("campaign: a", f"campaign: {name}")}
        )
    (told,) = caught.value.faults
    assert told.hint.endswith(f"`campaign: {right}`")


def test_a_mail_without_a_subject_is_warned_of() -> None:
    shop = load_shop({**SMALL, "templates/x.email.liquid": "---\nsubject:\n---\nHello"})
    (warning,) = shop.warnings
    assert (warning.path, warning.line) == ("templates/x.email.liquid", 1)
    assert warning.message == "a mail without a subject"


def test_a_folder_that_is_a_link_out_of_the_shop_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "other", {"campaigns/secret.yaml": CAMPAIGN})
    shop = tmp_path / "shop"
    write(shop, {"hairspring.toml": ""})
    (shop / "campaigns").symlink_to(tmp_path / "other/campaigns")
    with pytest.raises(ShopInvalid, match="a link out of the shop folder"):
        load_folder(shop)


def test_a_link_within_the_shop_is_a_file_like_any_other(tmp_path: Path) -> None:
    write(tmp_path, {**SMALL, "shared/hello.liquid": TEMPLATE})
    (tmp_path / "templates/hello.email.liquid").unlink()
    (tmp_path / "templates/hello.email.liquid").symlink_to("../shared/hello.liquid")
    assert ("hello", "email") in load_folder(tmp_path).templates


def test_a_folder_within_a_folder_is_a_warning(tmp_path: Path) -> None:
    write(tmp_path, {**SMALL, "campaigns/old/b.yaml": CAMPAIGN})
    assert [warning.path for warning in load_folder(tmp_path).warnings] == ["campaigns/old"]


def test_a_folder_without_anything_of_a_shop_is_no_shop(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ShopInvalid, match=r"hairspring.toml:1: not there") as caught:
            load_folder(folder)
        assert caught.value.code == "shop.invalid"


def test_a_thousand_faults_are_all_kept_and_not_all_printed() -> None:
    text = "".join(f"key{number}: x\n" for number in range(1000))
    with pytest.raises(ShopInvalid) as caught:
        load_shop({"campaigns/a.yaml": text})
    assert len(caught.value.faults) == 1003
    assert "and 803 more" in str(caught.value)


def test_half_a_surrogate_pair_is_no_text() -> None:
    for files in ({"campaigns/a.yaml": "a: \ud800"}, {"campaigns/\ud800.yaml": ""}):
        with pytest.raises(ShopInvalid, match="not text in UTF-8"):
            load_shop(files)


MARKS = ["\n", "  ", "- ", "&a ", "*a", "!!str ", "---\n", "{{", "}}", "{%", "%}", "[[keys]]\n"]
WORDS = [*CAMPAIGN_KEYS, *ENTER, *STEP_KEYS["if"], *STEP_KEYS["send"], "choose", "until"]
SNIPPETS = st.one_of(
    st.text(max_size=8),
    st.sampled_from("-:'\"{}[]|=>#&*!%\t\x00\x1b\ufeff\ud800\u2028\u00e9"),
    st.sampled_from(MARKS),
    st.sampled_from([f"{word}:" for word in WORDS]),
    st.sampled_from(["(" * 50, "[" * 50, "  - if: 'a'\n    then: []\n", "{% if user %}", "-1"]),
)


@st.composite
def mutations(draw: st.DrawFn) -> dict[str, str]:
    """The demo shop with some of its text cut, doubled, swapped, or with something put in."""
    files = dict(DEMO)
    for _ in range(draw(st.integers(1, 4))):
        name = draw(st.sampled_from(sorted(files) or ["hairspring.toml"]))
        text = files.get(name, "")
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        match draw(st.integers(0, 5)):
            case 0:
                files[name] = text[:start] + text[end:]
            case 1:
                files[name] = text[:end] + text[start:]
            case 2:
                files[name] = text[:start] + draw(SNIPPETS) + text[end:]
            case 3:
                files[name] = text[:start]
            case 4:
                files[draw(st.sampled_from([*DEMO, "campaigns/x.yaml", "templates/x"]))] = text
            case _:
                files.pop(name, None)
    return files


def loads_or_tells(files: dict[str, str]) -> None:
    try:
        shop = load_shop(files, env={})
    except ShopInvalid as invalid:
        told = invalid.faults
    else:
        assert isinstance(shop, Shop)
        told = shop.warnings
    assert told == sorted(told)
    for fault in told:
        assert fault.line >= 1
        assert "\n" not in str(fault)


@settings(max_examples=150)
@given(mutations())
def test_a_shop_that_was_tampered_with_loads_or_tells_its_faults(files: dict[str, str]) -> None:
    loads_or_tells(files)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 200)
    | st.floats()
    | st.sampled_from(
        ["", "email", "sms", "1h", "0s", "wait", "event.price > 1.0", "a", "hello", "live", "never"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(WORDS),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=150)
@given(st.data())
def test_a_campaign_of_any_shape_loads_or_tells_its_faults(data: st.DataObject) -> None:
    node, _ = compose(DEMO["campaigns/cart-abandonment.yaml"])
    campaign = plain(node)
    at = campaign
    while isinstance(at, dict | list) and at:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(at[key], dict | list) or data.draw(st.booleans()):
            at[key] = data.draw(VALUES)
            break
        at = at[key]
    text = msgspec.json.encode(campaign).decode()
    loads_or_tells({**DEMO, "campaigns/cart-abandonment.yaml": text})


def test_a_campaign_whose_entry_is_at_fault_is_there_all_the_same() -> None:
    """Its id is taken, and others may ask for its messages."""
    steps = "steps:\n  - {wait: 1h, id: w}\n"
    asks = "audience: 'received(\"one\") > 0'"
    with pytest.raises(ShopInvalid) as raised:
        load_shop(
            {
                "hairspring.toml": "",
                "campaigns/a.yaml": f"campaign: one\nenter: {{segment: gone}}\n{steps}",
                "campaigns/b.yaml": f"campaign: one\nenter: {{evnt: Go}}\n{steps}",
                "campaigns/c.yaml": f"campaign: two\nenter: {{event: Go}}\n{asks}\n{steps}",
            }
        )
    told = [str(fault) for fault in raised.value.faults]
    assert any("b.yaml:1: the campaign one is also in campaigns/a.yaml:1" in one for one in told)
    assert [one for one in told if "c.yaml" in one] == []
