"""A shop's files to a `Shop`: settings, plan and templates, or every fault at once.

Files are a map from relative path to text, so that a shop is loaded from a folder and from a
journal in the same way. The content of a plan is its files as they are written: `env:NAME` stands
in it, never what the variable held.
"""

from __future__ import annotations

import os
import shlex
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import msgspec

from channels.rendering import Template
from channels.templates.shelf import Shelf
from config.asking import Memory, check_receipts
from config.catalog import read_shelf
from config.circles import Placed, warn_of_circles
from config.collections import declared
from config.compile import compile_campaign
from config.coupons import Pool, check_pools, read_pools
from config.faults import Fault, Findings, ShopInvalid
from config.folder import FOLDERS, collect
from config.reading import SETTINGS_FILE, read_settings
from config.schema import TEMPLATE_NAMES
from config.segments import SEGMENTS_FILE, compile_segments
from config.settings import Settings
from config.sinks import campaign_faults
from config.source import Source
from config.templates import find_templates, parse_templates, warn_of_variants
from config.tracked import check_against
from config.tracking import topic_warning
from config.tracking_plan import TRACKING_PLAN_FILE, compile_tracking_plan
from config.yaml12 import YamlFault, compose, plain
from engine.core.intake.tracking_plan import TrackingPlan
from engine.core.plan import Plan
from engine.errors import HairspringError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from config.steps import Templates
    from engine.core.plan import Campaign

CONTENT_VERSION: Final = 1
"""Of the form that `encode_content` writes."""


class ContentInvalid(HairspringError):  # noqa: N818 - as ShopInvalid
    """Bytes that are no content of a plan, or one of a newer version."""

    code = "shop.content"


class Shop(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A shop that checks.

    Attributes:
        settings: All of `hairspring.toml`.
        plan: The compiled campaigns; its id is that of the content.
        templates: By name and channel; one for each channel of every `send`.
        tracking_plan: What events are held against as they come in; None: nothing.
        content: What the plan came from, for the journal (`encode_content`).
        warnings: What is probably not meant.
        shelf: The products of its folder: empty where they are elsewhere, None where it has none.
    """

    settings: Settings
    plan: Plan
    templates: dict[tuple[str, str], Template]
    content: bytes
    tracking_plan: TrackingPlan | None = None
    warnings: list[Fault] = []
    shelf: Shelf | None = None


class _Content(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    files: dict[str, str]


_decoder = msgspec.json.Decoder(_Content)


def encode_content(files: Mapping[str, str]) -> bytes:
    """A shop's files as bytes: equal bytes for equal files. What is never read is left out. O(n).

    Raises:
        UnicodeEncodeError: A text holds half a surrogate pair; `load_shop` tells it as a fault.
    """
    kept = {path: text for path, text in files.items() if _is_read(path)}
    return msgspec.json.encode(_Content(CONTENT_VERSION, kept), order="sorted")


def decode_content(content: bytes) -> dict[str, str]:
    """The files that `encode_content` was given.

    Raises:
        ContentInvalid: They are not of the form, or of a version that this one does not know.
    """
    try:
        read = _decoder.decode(content)
    except msgspec.MsgspecError as error:
        raise ContentInvalid(f"no content of a plan: {error}", hint="restore a backup") from error
    if read.version != CONTENT_VERSION:
        raise ContentInvalid(
            f"the content of a plan has version {read.version}, this process knows "
            f"{CONTENT_VERSION}",
            hint="start the version that wrote it, or a newer one",
        )
    return read.files


def plan_id_of(content: bytes) -> str:
    """32 hex digits that name a content: BLAKE2b (RFC 7693), 128 bits."""
    return blake2b(content, digest_size=16).hexdigest()


def campaign_path(files: Mapping[str, str], campaign_id: str) -> str:
    """The file that a campaign stands in; "" where there is none. O(size)."""
    paths = [path for path in files if path.startswith("campaigns/")]
    paths.sort(key=lambda path: path != f"campaigns/{campaign_id}.yaml")  # most likely, first
    return next((path for path in paths if campaign_id_in(files[path]) == campaign_id), "")


def campaign_id_in(text: str) -> str:
    """The id that a campaign's file says; "" where it says none. O(size)."""
    try:
        said = plain(compose(text)[0])
    except YamlFault:
        return ""
    found = said.get("campaign", "") if isinstance(said, dict) else ""
    return found if isinstance(found, str) else ""


def load_folder(path: Path, *, env: Mapping[str, str] | None = os.environ) -> Shop:
    """The shop in a folder; see `load_shop`. What cannot be read is told with all other faults.

    Raises:
        ShopInvalid: The shop does not check.
    """
    findings = Findings()
    files = collect(path, findings)
    try:
        return _load(files, env, findings, path, read_pools(path, findings))
    except ShopInvalid as invalid:
        invalid.hint = f"hairspring check {shlex.quote(str(path))} lists every fault"
        raise


def load_shop(files: Mapping[str, str], *, env: Mapping[str, str] | None = None) -> Shop:
    """The shop that files make. O(size); a template costs most.

    Args:
        files: Text by path relative to the shop folder, with `/`, as `read_folder` gives them.
        env: Where `env:NAME` of secrets is looked up, and with it: whether settings must fit this
            machine. None, for a plan that comes from the journal: secrets are left empty.

    Raises:
        ShopInvalid: The shop does not check; it has every fault.
    """
    return _load(files, env, Findings())


def _load(
    files: Mapping[str, str],
    env: Mapping[str, str] | None,
    findings: Findings,
    folder: Path | None = None,
    pools: Mapping[str, Pool] | None = None,
) -> Shop:
    files = {path: files[path] for path in sorted(files) if _is_text(path, files, findings)}
    if SETTINGS_FILE not in files and not any(path.startswith("campaigns/") for path in files):
        # A folder given by mistake must not run as an empty shop.
        if not findings.faults:
            hint = "hairspring init DIR makes a shop; an empty hairspring.toml will do"
            findings.fault(SETTINGS_FILE, 1, "not there, and no campaigns/ either", hint)
        raise ShopInvalid(findings.faults, findings.warnings)
    settings = read_settings(files.get(SETTINGS_FILE, ""), findings, env)
    tracked = compile_tracking_plan(
        Source(TRACKING_PLAN_FILE, files.get(TRACKING_PLAN_FILE, ""), findings)
    )
    paths = find_templates(files, findings)
    own = frozenset(settings.collections)
    text = files.get(SEGMENTS_FILE, "")
    memory = Memory(settings.history.max_events, settings.events.keep_ms)
    source = Source(SEGMENTS_FILE, text, findings, {}, own, memory)
    segments = compile_segments(source)
    templates = parse_templates(paths, files, findings, TEMPLATE_NAMES | own, settings.customs())
    if pools is not None:
        check_pools(templates.values(), pools, findings)
    shelf = read_shelf(folder, settings.catalog, findings)
    # A template at fault is there all the same, for the steps that send it; so is one that cannot
    # be read.
    unread = find_templates({one.path: "" for one in findings.faults}, Findings())
    known = [*paths, *unread]
    named = {key: templates[key].names if key in templates else frozenset() for key in known}
    source = msgspec.structs.replace(source, segments=segments)
    placed = _campaigns(files, named, settings, source)
    campaigns = [one.campaign for one in placed]
    if tracked is not None:
        check_against(tracked, source, placed, templates)
    warn_of_variants(templates, campaigns, findings)
    _warn_of_sinks(settings, campaigns, findings)
    check_receipts(source.receipts, [campaign.id for campaign in campaigns], findings)
    if findings.faults:
        raise ShopInvalid(findings.faults, findings.warnings)
    content = encode_content(files)
    return Shop(
        settings=settings,
        plan=Plan(
            plan_id_of(content),
            campaigns,
            settings.policy(),
            declared(settings.collections).values(),
            segments=segments,
        ),
        templates=templates,
        content=content,
        tracking_plan=tracked,
        warnings=findings.warnings,
        shelf=shelf,
    )


def _warn_of_sinks(settings: Settings, campaigns: Iterable[Campaign], findings: Findings) -> None:
    """Warn of each campaign that a sink is to be told of, and that there is not."""
    for sink, campaign in campaign_faults(settings.sinks, {one.id: one for one in campaigns}):
        told = f"sinks.{sink}.campaigns names {campaign}, and there is no such campaign"
        findings.warn(SETTINGS_FILE, 1, told, "mend its id, or leave it out")


def _campaigns(
    files: Mapping[str, str],
    templates: Templates,
    settings: Settings,
    shared: Source,
) -> list[Placed]:
    """Each campaign and where it stands; `shared` takes what is found, and knows the segments."""
    placed: dict[str, Placed] = {}
    findings = shared.findings
    for path, text in files.items():
        if not path.startswith("campaigns/"):
            continue
        if not path.endswith(FOLDERS["campaigns"]):
            hint = "campaigns are named NAME.yaml"
            if path.lower().endswith((".yml", ".yaml")):
                hint = f"rename it {path.rpartition('.')[0]}.yaml"
            findings.warn(path, 1, "is not read", hint)
            continue
        source = msgspec.structs.replace(shared, path=path, text=text, variants=[])
        one = compile_campaign(source, templates)
        if one is None:
            continue
        campaign, line = one.campaign, one.line
        if odd := topic_warning(campaign.topic, settings.consent.topics):
            findings.warn(path, line, *odd)
        if campaign.id in placed:
            there = placed[campaign.id]
            told = f"the campaign {campaign.id} is also in {there.path}:{there.line}"
            findings.fault(path, line, told, "give each file an id of its own")
        placed.setdefault(campaign.id, one)
        if campaign.status == "test" and not settings.testing.users:
            hint = 'list ids in hairspring.toml: [testing] users = ["…"]'
            findings.warn(path, line, f"{campaign.id} is for testers, and there are none", hint)
    warn_of_circles(placed.values(), shared.segments, findings)
    return [*placed.values()]


def _is_read(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    if not folder:
        return path in {SETTINGS_FILE, SEGMENTS_FILE, TRACKING_PLAN_FILE}
    return folder in FOLDERS and name.endswith(FOLDERS[folder])


def _is_text(path: str, files: Mapping[str, str], findings: Findings) -> bool:
    told = path.encode(errors="replace").decode()
    for what, text in (("its name is", path), ("", files[path])):
        try:
            text.encode()
        except UnicodeEncodeError:
            hint = "rename it" if what else "save the file as UTF-8"
            findings.fault(told, 1, f"{what} not text in UTF-8".strip(), hint)
            return False
    return True
