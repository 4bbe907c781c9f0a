"""Sources that nobody here knows: by Standard Webhooks alone, or mapped by a shop's own CEL."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from config.webhooks import MAPPED, NAMES
from engine.core import cel
from engine.core.cel import CelError
from engine.server.answers import Refusal
from engine.server.webhooks import commerce
from engine.server.webhooks.heard import MS, Who, body_as_json, body_as_object, text
from engine.server.webhooks.signatures import (
    check_hmac_base64,
    check_hmac_hex,
    check_standard,
    check_token,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.webhooks import WebhookSource
    from engine.server.webhooks.heard import Call, Heard, Json

_IDS: Final = ("user_id", "userId", "customer_id", "customerId", "external_id")
_PEOPLE: Final = ("user", "customer", "contact", "person")
"""Where a Standard Webhook's data has whose it is: no specification says."""


def verify_standard(call: Call, secret: str) -> None:
    """Raises Refusal (401)."""
    check_standard(call, secret)


def delivery_of(call: Call) -> str:
    """`webhook-id`: the same where it is sent again."""
    return call.headers.get("webhook-id", "") or call.headers.get("svix-id", "")


def read_standard(call: Call) -> Iterator[Heard]:
    """`{"type", "timestamp", "data"}`: the event has the type's name and the data as properties."""
    body = body_as_object(call)
    name, data = text(body.get("type")), body.get("data")
    if not name or not isinstance(data, dict):
        return
    who = _whose(data)
    if who:
        yield commerce.event(who, name, data, timestamp=body.get("timestamp"))


def _whose(data: Json) -> Who:
    places = [data, *(one for key in _PEOPLE if isinstance(one := data.get(key), dict))]
    people = places[1:]
    ids = [text(place.get(key)) for place in places for key in _IDS]
    ids += [text(person.get("id")) for person in people]
    ids += [text(data.get(key)) for key in _PEOPLE]
    return Who(
        id=next(filter(None, ids), ""),
        email=next(filter(None, (text(place.get("email")) for place in places)), ""),
        phone=next(filter(None, (text(place.get("phone")) for place in places)), ""),
    )


class Mapping:
    """A source by a shop's own expressions, which name `body`, `headers` and `query`.

    Args:
        source: Without faults (`config.webhooks.webhook_faults`).
    """

    def __init__(self, source: WebhookSource) -> None:
        self._source = source
        scope = cel.Scope(NAMES)
        self._programs = {
            key: cel.compile(said, scope) for key in MAPPED if (said := getattr(source, key))
        }

    def verify(self, call: Call, secret: str) -> None:
        """Raises Refusal (401)."""
        match self._source.signature:
            case "standard":
                check_standard(call, secret)
            case "hmac-base64":
                check_hmac_base64(call, self._source.header, secret)
            case "hmac-hex":
                check_hmac_hex(call, self._source.header, secret)
            case "token":
                check_token(call, secret)

    def delivery_of(self, call: Call) -> str:
        """As the shop says it; else `webhook-id`."""
        if "message_id" in self._programs:
            return text(self._ask("message_id", self._bindings(call)))
        return delivery_of(call)

    def read(self, call: Call) -> Iterator[Heard]:
        """The event that it is, and traits, where the shop says so; nothing where it is none.

        Raises Refusal (400) where an expression fails that says what the event is, or of what.
        """
        bindings = self._bindings(call)
        name = text(self._must("event", bindings))
        if not name:
            return
        who = Who(
            id=text(self._ask("user_id", bindings)),
            email=text(self._ask("email", bindings)),
            phone=text(self._ask("phone", bindings)),
            anonymous_id=text(self._ask("anonymous_id", bindings)),
        )
        if not who:
            told = "none of user_id, anonymous_id, email and phone gives anything for this call"
            raise Refusal(400, "webhook.nobody", told)
        timestamp = self._ask("timestamp", bindings)
        if isinstance(timestamp, datetime):
            timestamp = int(timestamp.timestamp() * MS)
        traits = self._ask("traits", bindings)
        if isinstance(traits, dict):
            yield from commerce.traits(who, traits, timestamp=timestamp)
        properties = bindings["body"]
        if "properties" in self._programs:
            properties = self._must("properties", bindings)
        yield commerce.event(
            who,
            name,
            properties if isinstance(properties, dict) else {"value": properties},
            timestamp=timestamp,
            passive=self._source.passive,
        )

    @staticmethod
    def _bindings(call: Call) -> dict[str, Any]:
        headers = {name.lower(): value for name, value in call.headers.items()}
        return {"body": body_as_json(call), "headers": headers, "query": dict(call.query)}

    def _ask(self, key: str, bindings: dict[str, Any]) -> Any:  # noqa: ANN401 - any value of CEL
        """What an expression gives, or None where it ends in an error: nothing is there."""
        program = self._programs.get(key)
        if program is None:
            return None
        try:
            return program.evaluate(bindings)
        except CelError:
            return None

    def _must(self, key: str, bindings: dict[str, Any]) -> Any:  # noqa: ANN401 - as above
        try:
            return self._programs[key].evaluate(bindings)
        except CelError as error:
            told = f"{key} of this source cannot be said of this call: {error}"
            raise Refusal(400, "webhook.unmapped", told) from error
