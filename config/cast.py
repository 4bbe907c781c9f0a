"""Who takes part in a shop test: users, their traits, and who is meant where nobody is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from config.faults import shown
from config.schema import Key
from config.source import Fields, kind_of
from config.yaml12 import Mapping, Node, plain
from engine.core.inputs import UserIdentified
from engine.core.intake.items import Item, ItemInvalid, read_item

if TYPE_CHECKING:
    from collections.abc import Iterator

_HINT = "write each as `id: {trait: value}`, like `ada: {email: ada@example.com}`"


class Cast:
    """The users of one test.

    Args:
        above: The file, whose users are there for whoever names them.
        own: The test, whose users all take part.

    Attributes:
        named: Ids of those who take part, in the order in which they were named.
    """

    def __init__(self, above: Fields, own: Fields) -> None:
        self._fields = own
        ours = _users(own)
        self._users = {**_users(above), **ours}
        self._meant = own.text("user") or above.text("user") or _only(ours) or _only(self._users)
        self.named = dict.fromkeys([*ours, *([self._meant] if self._meant else [])])

    def meant(self, fields: Fields) -> str | None:
        """Whom an item is about: the one it names, else the test's; none is a fault."""
        user_id = fields.text("user") or self._meant
        if user_id is None and "user" not in fields.node.entries:
            fields.fault("user", "is missing", "name one here, or once for the whole test")
        return user_id

    def identified(self, at_ms: int) -> Iterator[UserIdentified]:
        """The traits of those who take part, as they are said at an instant."""
        for user_id in self.named:
            node = self._users.get(user_id)
            if not isinstance(node, Mapping):
                continue
            traits = as_json(plain(node))
            item = Item(type="identify", user_id=user_id, timestamp=at_ms, traits=traits)
            try:
                happened = read_item(item)
            except ItemInvalid as error:
                told = f"user {shown(user_id)} {error.text}"
                self._fields.source.fault(node.line, told, _HINT)
                continue
            assert isinstance(happened, UserIdentified)
            yield happened


def as_json(value: object) -> msgspec.Raw:
    """What a file says, as the JSON that a client would send. O(size)."""
    return msgspec.Raw(msgspec.json.encode(value))


def _only(users: dict[str, Node]) -> str | None:
    """The user where there is one alone."""
    return next(iter(users)) if len(users) == 1 else None


def _users(fields: Fields) -> dict[str, Node]:
    """Users by id, each with the map of his traits, or nothing."""
    node = fields.get("users")
    if node is None:
        return {}
    if not isinstance(node, Mapping):
        fields.fault("users", f"is {kind_of(node)}", _HINT)
        return {}
    keys = {name: Key(name) for name in node.entries}
    inner = Fields(fields.source, node, keys, "users.")
    for name, traits in node.entries.items():
        if not isinstance(traits, Mapping) and inner.peek(name) is not None:
            inner.fault(name, f"is {kind_of(traits)}", _HINT)
    return node.entries
