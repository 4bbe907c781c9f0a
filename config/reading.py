"""`hairspring.toml` to `Settings`, every fault at once, each at the line of its key."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
from msgspec import inspect

from channels.settings import SETTINGS, ChannelSettings, DkimSettings
from config.alerts import AlertTarget, alert_faults
from config.collections import COLLECTIONS_MAX, collection_faults, name_fault
from config.faults import Findings, nearest
from config.pacing import pacing_findings
from config.reads import (
    Unreadable,
    extra,
    kind_of,
    read_duration_ms,
    read_locale,
    read_network,
    read_secret,
    read_share,
    read_simple,
    read_size_bytes,
    read_zone,
    wanted,
)
from config.serving import WriteKey, counted_as_one
from config.settings import (
    COLLECTIONS,
    SECTIONS,
    CollectionSettings,
    Settings,
    ShopCollection,
)
from config.sinks import SinkSettings, sink_faults
from config.source import NOT_BUILT
from config.tomlplaces import Path, key_lines, line_of
from config.tomlplaces import told as told_of
from config.webhooks import WebhookSource, unsigned, webhook_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

SETTINGS_FILE: Final = "hairspring.toml"

_NO_EFFECT: Final = f"{NOT_BUILT} and has no effect"
_MARK = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)")
_TWICE = re.compile(r"Cannot (?:declare|mutate immutable namespace) \((.*)\)")
_QUOTED = re.compile(r"'([^']*)'")
_S = TypeVar("_S", bound=msgspec.Struct)
_MISSING: Final = object()
SHORT: Final[dict[type, str]] = {WriteKey: "key", AlertTarget: "to"}
"""Structs that may be written as one text, and the key which that stands for."""
SINGLE: Final[frozenset[type]] = frozenset((DkimSettings, AlertTarget))
"""Structs of which one may be written in place of a list."""


def read_settings(text: str, findings: Findings, env: Mapping[str, str] | None) -> Settings:
    """The settings that a TOML text means; what is at fault keeps its default. O(text).

    Args:
        text: The file; an empty one means every default.
        findings: Takes faults and warnings.
        env: Where `env:NAME` is looked up. None: nowhere; secrets are left empty, and nothing that
            depends on this machine is asked (a plan that is loaded again from the journal).
    """
    try:
        raw = tomllib.loads(text)
        lines = key_lines(text)
    except tomllib.TOMLDecodeError as error:
        found = _MARK.search(str(error))
        line = int(found[1]) if found and found[1] else text.rstrip().count("\n") + 1
        told = _MARK.sub("", str(error))
        hint = 'write key = "value", one a line, and text in quotes'
        if (twice := _TWICE.search(told)) is not None:
            told = f"[{'.'.join(_QUOTED.findall(twice[1]))}] is there twice"
            hint = "put all its keys under one"
        findings.fault(SETTINGS_FILE, line, f"not TOML: {told}", hint)
    except (RecursionError, ValueError) as error:
        findings.fault(SETTINGS_FILE, 1, f"not TOML: {error}", "flatten it")
    else:
        return _Reader(findings, lines, env).settings(raw)
    return Settings()


class _Reader:
    """Reads tables into Structs, key by key."""

    def __init__(
        self, findings: Findings, lines: Mapping[Path, int], env: Mapping[str, str] | None
    ) -> None:
        self._findings = findings
        self._lines = lines
        self._env = env
        self._at_fault: list[Path] = []

    def _fault(self, path: Path, message: str, hint: str = "") -> None:
        self._at_fault.append(path)
        self._findings.fault(SETTINGS_FILE, line_of(self._lines, path), message, hint)

    def _warn(self, path: Path, message: str, hint: str = "") -> None:
        self._findings.warn(SETTINGS_FILE, line_of(self._lines, path), message, hint)

    def settings(self, raw: dict[str, object]) -> Settings:
        own = ("channels", "collections", "filters", "sinks", "webhooks")
        known = [*SECTIONS, *own]
        for name in raw:
            if name not in known:
                hint = _section_of(name) or nearest(name, known)
                self._fault((name,), f"unknown section or key {name}", hint)
        read: dict[str, msgspec.Struct] = {}
        for name, kind in SECTIONS.items():
            section = self._table(kind, raw.get(name, {}), (name,))
            read[name] = kind() if section is None else section
        channels = self._channels(raw.get("channels", {}))
        collections = self._collections(raw.get("collections", {}))
        filters = self._filters(raw.get("filters", {}))
        sinks = self._named(SinkSettings, raw.get("sinks", {}), "sinks", "crm", sink_faults)
        webhooks = self._named(
            WebhookSource, raw.get("webhooks", {}), "webhooks", "shopify", webhook_faults
        )
        for name, hint in unsigned(webhooks) if self._env is not None else ():
            self._warn(("webhooks", name), f"webhooks.{name}.secret is empty", hint)
        settings = Settings(
            **read,  # type: ignore[arg-type]
            channels=channels,
            collections=collections,
            filters=filters,
            sinks=sinks,
            webhooks=webhooks,
        )
        self._across(settings)
        self._check_redirections(settings)
        said = raw.get("keys")
        if not settings.keys.write and not (isinstance(said, dict) and said.get("write")):
            hint = 'give one: write = ["env:WRITE_KEY"]'
            self._warn(("keys", "write"), "keys.write is empty: no event can come in", hint)
        return settings

    def _across(self, settings: Settings) -> None:
        """What holds between keys."""
        server, keys = settings.server, settings.keys
        if server.port and server.admin_port == server.port:
            hint = "give it a port of its own, or 0 for the port served plus 1"
            self._fault(("server", "admin_port"), "server.admin_port is server.port too", hint)
        if server.event_max_bytes > server.body_max_bytes:
            hint = "raise server.body_max, which holds all events of one request"
            self._fault(("server", "event_max"), "server.event_max is over server.body_max", hint)
        written = [key.key for key in keys.write if key.key]
        if len(set(written)) < len(written):
            self._fault(("keys", "write"), "keys.write has one key twice", "keep one of them")
        if self._env is not None and not all([*(key.key for key in keys.write), *keys.trigger]):
            self._fault(("keys",), "keys has an empty key, which lets everybody in", "remove it")
        for place, told, hint in counted_as_one(server, keys):
            self._warn(("keys", "write", place), f"keys.write[{place}].rate_each: {told}", hint)
        if settings.catalog.file and settings.catalog.url:
            self._fault(("catalog", "url"), "catalog has a file and a url", "keep one of them")
        for place, message, hint in alert_faults(settings.alerts) if self._env is not None else ():
            self._fault(("alerts", "to", place), f"alerts.to[{place}]: {message}", hint)
        self._tell_pacing(settings)

    def _tell_pacing(self, settings: Settings) -> None:
        """What is told of a key that was read as it is written: one at fault is not all there."""
        faults = [path[1:] for path in self._at_fault if path[0] == "guardrails"]
        kept_ms = settings.events.keep_ms
        for found in pacing_findings(settings.guardrails, kept_ms):
            if any(fault[: len(found.about)] == found.about for fault in faults):
                continue
            tell = self._warn if found.is_harmless else self._fault
            tell(("guardrails", *found.path), found.message, found.hint)

    def _channels(self, raw: object) -> dict[str, ChannelSettings]:
        if not isinstance(raw, dict):
            self._fault(("channels",), "channels is no section", "write [channels.email]")
            raw = {}
        for name in raw:
            if name not in SETTINGS:
                self._fault(("channels", name), f"unknown channel {name}", nearest(name, SETTINGS))
        read: dict[str, ChannelSettings] = {}
        for channel, kind in SETTINGS.items():
            chosen = self._table(kind, raw.get(channel, {}), ("channels", channel)) or kind()
            read[channel] = chosen
            if self._env is not None and channel in raw:
                self._check_channel(channel, chosen)
        return read

    def _check_channel(self, channel: str, chosen: ChannelSettings) -> None:
        from channels.registry import settings_faults

        for fault in settings_faults(channel, chosen):
            self._fault(("channels", channel, fault.key), fault.message, fault.hint)

    def _check_redirections(self, settings: Settings) -> None:
        """Where a staging shop's messages go, and which would go to users all the same."""
        redirect_to, path = settings.testing.redirections(), ("testing", "redirect_to")
        if not redirect_to:
            return
        from channels.redirecting import redirection_faults

        for channel, message, hint in redirection_faults(redirect_to):
            self._fault((*path, channel), f"testing.redirect_to.{channel}: {message}", hint)
        for channel, chosen in settings.channels.items():
            if channel not in redirect_to and chosen.transport != "file":
                told = f"testing.redirect_to has no {channel}: its messages go to the users"
                self._warn(path, told, f"give it an address too, if that is not meant: {channel}")

    def _filters(self, raw: object) -> dict[str, str]:
        if not isinstance(raw, dict):
            self._fault(("filters",), "filters is no section", "write [filters]")
            return {}
        if not raw:
            return {}
        from channels.templates.parsing import filter_faults

        texts = {name: text for name, text in raw.items() if isinstance(text, str)}
        for name in raw.keys() - texts.keys():
            told = f"filters.{name}: {kind_of(raw[name])} is no text"
            self._fault(("filters", name), told, 'write Liquid: shout = "{{ value | upcase }}!"')
        for fault in filter_faults(texts):
            self._fault(("filters", fault.name), f"filters.{fault.name}: {fault.told}", fault.hint)
        return texts

    def _named(
        self,
        kind: type[_S],
        raw: object,
        section: str,
        example: str,
        faults: Callable[[str, _S], Iterable[tuple[str, str, str]]],
    ) -> dict[str, _S]:
        """Tables by names that the shop gives; `faults` tells what a whole one cannot be."""
        if not isinstance(raw, dict):
            self._fault((section,), f"{section} is no section", f"write [{section}.{example}]")
            return {}
        read: dict[str, _S] = {}
        for name, said in raw.items():
            chosen = self._table(kind, said, (section, name))
            if chosen is None:
                continue
            read[name] = chosen
            for key, message, hint in faults(name, chosen):
                path = (section, name, key) if key else (section, name)
                self._fault(path, f"{'.'.join(path)}: {message}", hint)
        return read

    def _collections(self, raw: object) -> dict[str, CollectionSettings]:
        if not isinstance(raw, dict):
            self._fault(("collections",), "collections is no section", "write [collections.cart]")
            raw = {}
        read: dict[str, CollectionSettings] = {}
        for name in {**COLLECTIONS, **raw}:
            path = ("collections", name)
            if fault := name_fault(name):
                self._fault(path, *fault)
            kind: type[CollectionSettings] = COLLECTIONS.get(name, ShopCollection)
            chosen = self._table(kind, raw.get(name, {}), path)
            if chosen is None:
                continue
            read[name] = chosen
            for key, message, hint in collection_faults(chosen):
                self._fault((*path, key), f"collections.{name}.{key} {message}", hint)
        if len(read) > COLLECTIONS_MAX:
            told = f"{len(read)} collections, more than {COLLECTIONS_MAX}"
            self._fault(("collections",), told, "each user has all of them: keep the most needed")
        return read

    def _table(self, kind: type[_S], raw: object, path: Path) -> _S | None:
        """A Struct from a table; a key at fault keeps its default.

        None where it has none, or where a key that must be there is not; that is told already.
        """
        if kind in SHORT and isinstance(raw, str):
            raw = {SHORT[kind]: raw}
        told = told_of(path)
        described = inspect.type_info(kind)
        assert isinstance(described, inspect.StructType)
        fields = {field.encode_name: field for field in described.fields}
        if not isinstance(raw, dict):
            self._fault(path, f"{told} is {kind_of(raw)}", f"a table with {', '.join(fields)}")
            return None
        for name in raw:
            if name not in fields:
                self._fault((*path, name), f"unknown key {told}.{name}", nearest(name, fields))
        values: dict[str, object] = {}
        for name, field in fields.items():
            value = self._field(field, raw.get(name, _MISSING), (*path, name), f"{told}.{name}")
            if value is not _MISSING:
                values[field.name] = value
        if any(field.required and field.name not in values for field in fields.values()):
            return None
        return kind(**values)

    def _field(self, field: inspect.Field, raw: object, path: Path, told: str) -> object:
        if raw is _MISSING:
            if field.required:
                self._fault(path, f"{told} is missing", wanted(field.type))
            return _MISSING
        try:
            # Channels know no metadata of ours: there the unit in the name says it.
            is_ms = field.name.endswith("_ms") and isinstance(field.type, inspect.IntType)
            value = read_duration_ms(raw) if is_ms else self._value(field.type, raw, path)
        except Unreadable as error:
            self._fault(path, f"{told}: {error.message}", error.hint or wanted(field.type))
            return _MISSING
        if value is None:
            return _MISSING
        default = {} if field.default_factory is dict else field.default
        later = extra(field.type, "later")
        if later and value != default:
            self._warn(path, f"{told} {_NO_EFFECT}", str(later))
        return value

    def _value(self, kind: inspect.Type, raw: object, path: Path) -> object:  # noqa: PLR0911 - one a kind
        match kind:
            case inspect.Metadata():
                return self._described(kind, raw, path)
            case inspect.StructType():
                return self._table(kind.cls, raw, path)
            case inspect.UnionType():
                return self._value(kind.types[0], raw, path)
            case inspect.VarTupleType():
                return self._items(kind, raw, path)
            case inspect.DictType():
                return self._entries(kind, raw, path)
            case inspect.StrType() if path[0] == "channels":
                return read_secret(raw, self._env)
            case _:
                return read_simple(kind, raw)

    def _described(self, kind: inspect.Metadata, raw: object, path: Path) -> object:  # noqa: PLR0911 - one a kind
        match extra(kind, "reads"):
            case "duration":
                return read_duration_ms(raw)
            case "size":
                return read_simple(kind.type, read_size_bytes(raw))
            case "share":
                return read_share(raw)
            case "zone":
                return read_zone(raw)
            case "locale":
                return read_locale(raw)
            case "network":
                return read_network(raw)
            case "secret":
                return read_secret(raw, self._env)
            case _:
                return self._value(kind.type, raw, path)

    def _items(self, kind: inspect.VarTupleType, raw: object, path: Path) -> tuple[object, ...]:
        item = getattr(kind.item_type, "cls", None)
        if item in SINGLE and isinstance(raw, (dict, str) if item in SHORT else dict):
            raw = [raw]
        if not isinstance(raw, list):
            raise Unreadable(f"{kind_of(raw)} is no list", "write it in [ ]")
        read = []
        for number, item in enumerate(raw):
            try:
                read.append(self._value(kind.item_type, item, (*path, number)))
            except Unreadable as error:
                hint = error.hint or wanted(kind.item_type)
                self._fault((*path, number), f"{told_of(path)}[{number}]: {error.message}", hint)
        return tuple(item for item in read if item is not None)

    def _entries(self, kind: inspect.DictType, raw: object, path: Path) -> dict[object, object]:
        if not isinstance(raw, dict):
            raise Unreadable(f"{kind_of(raw)} is no table", "write it in { }")
        read = {}
        for name, item in raw.items():
            try:
                key = self._value(kind.key_type, name, path)
                read[key] = self._value(kind.value_type, item, (*path, name))
            except Unreadable as error:
                told = ".".join(str(part) for part in (*path, name))
                hint = error.hint or wanted(kind.value_type)
                self._fault((*path, name), f"{told}: {error.message}", hint)
        return read


def _section_of(key: str) -> str:
    """A hint for a key that stands above all sections: those that have it, if any has."""
    having = [
        f"[{section}]"
        for section, kind in SECTIONS.items()
        if any(field.encode_name == key for field in msgspec.structs.fields(kind))
    ]
    return f"put it under {' or '.join(having)}" if having else ""
