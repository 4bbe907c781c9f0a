"""What `hairspring.toml` looks like, in the words of JSON Schema: by the Structs it is read to."""

from __future__ import annotations

from typing import Any, Final

from msgspec import inspect

from channels.settings import SETTINGS
from config.reading import SHORT, SINGLE
from config.settings import COLLECTIONS, SECTIONS, ShopCollection
from config.shapes import DURATION, SHARE, Shape
from config.sinks import SinkSettings
from config.webhooks import WebhookSource

_SIZE: Final[Shape] = {
    "type": ["string", "integer"],
    "pattern": r"^\s*[0-9]{1,13}\s*([KkMmGg]?[Ii]?[Bb])\s*$",
    "minimum": 1,
}
"""As `quantities.parse_size_bytes` reads it."""


def settings_shape() -> Shape:
    """All sections, each with its keys and no others. O(keys)."""
    sections = {name: _table(kind) for name, kind in SECTIONS.items()}
    channels = {name: _table(kind) for name, kind in SETTINGS.items()}
    collections = {name: _table(kind) for name, kind in COLLECTIONS.items()}
    return {
        "type": "object",
        "properties": {
            **sections,
            "channels": _closed(channels),
            "collections": {**_closed(collections), "additionalProperties": _table(ShopCollection)},
            "webhooks": {"type": "object", "additionalProperties": _table(WebhookSource)},
            "filters": {"type": "object", "additionalProperties": {"type": "string"}},
            "sinks": {"type": "object", "additionalProperties": _table(SinkSettings)},
        },
        "additionalProperties": False,
    }


def _closed(properties: dict[str, Shape]) -> Shape:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _table(kind: type) -> Shape:
    """A Struct's keys; one that may be written as one text may be that."""
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    properties = {field.encode_name: _field(field) for field in described.fields}
    shape = _closed(properties)
    required = [field.encode_name for field in described.fields if field.required]
    if required:
        shape["required"] = required
    return {"anyOf": [{"type": "string"}, shape]} if kind in SHORT else shape


def _field(field: inspect.Field) -> Shape:
    # Channels know no metadata of ours: there the unit in the name says it.
    if field.name.endswith("_ms") and isinstance(field.type, inspect.IntType):
        return DURATION
    return _shape(field.type)


def _shape(kind: inspect.Type) -> Shape:
    match kind:
        case inspect.Metadata():
            return _described(kind)
        case inspect.StructType():
            return _table(kind.cls)
        case inspect.UnionType():
            return _shape(kind.types[0])
        case inspect.VarTupleType():
            items = _shape(kind.item_type)
            several = {"type": "array", "items": items}
            is_single = getattr(kind.item_type, "cls", None) in SINGLE
            return {"anyOf": [items, several]} if is_single else several
        case inspect.DictType():
            return {
                "type": "object",
                "propertyNames": _shape(kind.key_type),
                "additionalProperties": _shape(kind.value_type),
            }
        case _:
            return _simple(kind)


def _simple(kind: inspect.Type) -> Shape:
    match kind:
        case inspect.LiteralType():
            return {"enum": list(kind.values)}
        case inspect.BoolType():
            return {"type": "boolean"}
        case inspect.IntType():
            return {"type": "integer", **_there({"minimum": kind.ge, "maximum": kind.le})}
        case inspect.FloatType():
            return {"type": "number", **_there({"minimum": kind.ge, "maximum": kind.le})}
        case inspect.StrType():
            limits = {"minLength": kind.min_length, "pattern": kind.pattern}
            return {"type": "string", **_there(limits)}
        case _:
            raise AssertionError(f"settings of this kind have no shape: {kind}")


def _described(kind: inspect.Metadata) -> Shape:
    """By what its metadata says of how it is read, with its description."""
    shape: Shape
    match (kind.extra or {}).get("reads"):
        case "duration":
            shape = DURATION
        case "size":
            shape = _SIZE
        case "share":
            shape = SHARE
        case "zone" | "secret" | "locale" | "network":
            shape = {"type": "string"}
        case None:
            shape = _shape(kind.type)
        case reads:
            raise AssertionError(f"what is read as a {reads} has no shape")
    return {**shape, **(kind.extra_json_schema or {})}


def _there(limits: dict[str, Any]) -> dict[str, Any]:
    return {name: limit for name, limit in limits.items() if limit is not None}
