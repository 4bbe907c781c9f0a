"""Types as a schema can tell them: what is kept as bytes is told as what it is."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Final

import msgspec

from engine.core.intake.items import Item
from engine.server.admin.bulk import BulkAsked
from engine.server.admin.simulating import BacktestAsked, SimulateAsked
from engine.server.posthog import Captured, CapturedBatch
from engine.server.segment import SegmentBatch
from engine.server.starting import StartBody

_OBJECT: Final = dict[str, Any] | None
_SHOP: Final = dict[str, Any]

FIELDS: Final[dict[tuple[type, str], Any]] = {
    (Item, "properties"): _OBJECT,
    (Item, "traits"): _OBJECT,
    (Item, "context"): _OBJECT,
    (Item, "score"): Annotated[float, msgspec.Meta(ge=0.0, le=1.0)],
    (SegmentBatch, "batch"): list[Item],
    (SegmentBatch, "sent_at"): str | int | float | None,
    (CapturedBatch, "batch"): list[Captured] | None,
    (StartBody, "content"): _OBJECT,
    (StartBody, "user_ids"): list[str | int] | None,
    (BulkAsked, "content"): _OBJECT,
    (BulkAsked, "user_ids"): list[str | int],
    (SimulateAsked, "events"): list[Item] | str,
    (SimulateAsked, "shop"): _SHOP,
    (BacktestAsked, "shop"): _SHOP,
}
"""What stands where the type of a field says only that it is read later."""

_LATER: Final = (msgspec.Raw, object)


@cache
def shape(kind: Any) -> Any:  # noqa: ANN401 - a type
    """A type with the same fields, none of which is read later. O(fields)."""
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return _within(kind)
    fields = msgspec.structs.fields(kind)
    if not any(_is_other(kind, field) for field in fields):
        return kind
    told: list[Any] = []
    for field in fields:
        of = _within(FIELDS.get((kind, field.name), Any if field.type in _LATER else field.type))
        told.append((field.name, of) if field.required else (field.name, of, _default(kind, field)))
    told.sort(key=len)  # those that must be there come first
    config = kind.__struct_config__
    return msgspec.defstruct(
        kind.__name__,
        told,
        rename={field.name: field.encode_name for field in fields},
        forbid_unknown_fields=config.forbid_unknown_fields,
        namespace={"__doc__": kind.__doc__},
    )


def _default(kind: type, field: msgspec.structs.FieldInfo) -> Any:  # noqa: ANN401 - of any type
    """What a field is where it is not said; of one that is read later, nothing that can be told."""
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.field(default_factory=field.default_factory)
    return msgspec.UNSET if _is_other(kind, field) else field.default


def _is_other(kind: type, field: msgspec.structs.FieldInfo) -> bool:
    return field.type in _LATER or (kind, field.name) in FIELDS


def _within(kind: Any) -> Any:  # noqa: ANN401 - a type
    """A type whose parts are told so, too."""
    items: Any = list[Item]
    if kind == items:
        return list.__class_getitem__(shape(Item))
    if kind == items | str:
        return list.__class_getitem__(shape(Item)) | str
    return kind
