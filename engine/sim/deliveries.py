"""What becomes of a message in virtual time: its outcome is known at the instant it is released."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import msgspec
from xxhash import xxh3_64_intdigest

from channels.base import address_of
from channels.rendering import RenderFailed
from engine.core.inputs import DeliveryReported
from engine.core.messages.answers import bounced_at_hand_over
from engine.runtime.delivery.linking import UNSENT, render_linked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from channels.rendering import Rendered, Template
    from channels.templates.shelf import Shelf
    from engine.core.effects import SendMessage
    from engine.core.inputs import OfDelivery

SEED_MAX = (1 << 64) - 1
"""Seeds are 64 bits wide."""

SIMULATED = "simulated"
"""The reason of a failure that was drawn."""

REFUSED = "address refused for good"
NOWHERE = ".invalid"
"""Email addresses in this domain, which is nobody's (RFC 6761, 6.4), are refused for good."""

_decode_snapshot = msgspec.json.Decoder(dict).decode


class Deliveries:
    """Answers messages: delivered, unless a failure is drawn for them or they cannot be rendered.

    Email to an address that ends in `.invalid` is refused for good.

    Args:
        failing: Share of the messages of a channel that fail, from 0.0 to 1.0.
        seed: Another seed, other failures; from 0 to `SEED_MAX`.
        templates: By name and channel: render each message. None: nothing is rendered.
        fails: Asked of each message, why its delivery fails; "" where it does not.
        strict: Keep what is wrong with each message that was rendered (`flaws`).
        shelf: The shop's products, if it has any.

    Attributes:
        rendered: By effect id, what was rendered; whoever takes note of it takes it out.
        undefined: By template, how often a name that was not there was rendered as nothing.
        faults: How often a template could not be rendered, by what was wrong.
        flaws: Where `strict`, by campaign: what its messages name and their users lack, and why
            they could not be rendered; as `file:line: what: user`.
    """

    def __init__(
        self,
        *,
        failing: Mapping[str, float] | None = None,
        seed: int = 0,
        templates: Mapping[tuple[str, str], Template] | None = None,
        fails: Callable[[SendMessage], str] | None = None,
        strict: bool = False,
        shelf: Shelf | None = None,
    ) -> None:
        assert 0 <= seed <= SEED_MAX
        self.rendered: dict[str, Rendered] = {}
        self.undefined: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.flaws: defaultdict[str, list[str]] = defaultdict(list)
        self._failing = {
            channel: int(share * (SEED_MAX + 1)) for channel, share in (failing or {}).items()
        }
        self._seed = seed
        self._templates = templates
        self._fails = fails
        self._strict = strict
        self._named = {} if shelf is None else {"catalog": shelf}
        self._snapshots: dict[str, msgspec.Raw] = {}

    def deliver(self, message: SendMessage, now_ms: int) -> list[OfDelivery]:
        """The outcome of one message, as a dispatcher would report it now.

        A function of the seed and its id, in whatever order.
        """
        if message.more:
            self._snapshots[message.id] = self._snapshot_of(message)
        reason = self._render(message) if self._templates is not None else ""
        if not reason and self._is_failing(message):
            reason = SIMULATED
        if not reason and self._fails is not None:
            reason = self._fails(message)
        if not reason and (address := self._bad_address(message)):
            return self._refuse(message, address, now_ms)
        if not reason:
            return [DeliveryReported(message.user_id, message.id, "delivered")]
        return [DeliveryReported(message.user_id, message.id, "failed", reason)]

    def _refuse(self, message: SendMessage, address: str, now_ms: int) -> list[OfDelivery]:
        report = DeliveryReported(message.user_id, message.id, "failed", REFUSED, address)
        variant = _decode_snapshot(self._snapshot_of(message)).get("variant", "")
        bounced = bounced_at_hand_over(message, "hard", variant, REFUSED, now_ms)
        return [report] if bounced is None else [report, bounced]

    def settle(self) -> None:
        """Nothing of this instant stands in for anything any more: forget its snapshots."""
        self._snapshots.clear()

    def _snapshot_of(self, message: SendMessage) -> msgspec.Raw:
        return self._snapshots.get(message.fallback_of, message.snapshot)

    def _is_failing(self, message: SendMessage) -> bool:
        limit = self._failing.get(message.channel)
        return limit is not None and xxh3_64_intdigest(message.id.encode(), self._seed) < limit

    def _bad_address(self, message: SendMessage) -> str:
        """The email address, where it is one that no mail server can ever have; else ""."""
        if message.channel != "email":
            return ""
        snapshot = self._snapshot_of(message)
        if NOWHERE.encode() not in bytes(snapshot).lower():
            return ""
        address = address_of("email", _decode_snapshot(snapshot)["user"])
        return address if isinstance(address, str) and address.lower().endswith(NOWHERE) else ""

    def _render(self, message: SendMessage) -> str:
        """Render as the dispatcher does; returns why it could not be, in the same words, or ""."""
        assert self._templates is not None
        snapshot = self._snapshot_of(message)
        template = self._templates.get((message.template, message.channel))
        if template is None:
            return f"template: there is no {message.template}.{message.channel}.liquid"
        context = {**_decode_snapshot(snapshot), **self._named}
        if template.pools:
            context["coupons"] = template.sample_codes()
        if address_of(message.channel, context["user"]) is None:
            return f"no {message.channel} address that can be used"
        try:
            rendered, _ = render_linked(UNSENT, template, message, context)
        except RenderFailed as error:
            self.faults[f"{error.template}.{message.channel}:{error.line}: {error.reason}"] += 1
            self._note(template, message, error)
            return f"template: {error.message}"
        if rendered.undefined:
            if self._strict:
                self._find_lacking(template, message, context)
            self.undefined[f"{message.template}.{message.channel}"] += rendered.undefined
        self.rendered[message.id] = rendered
        return ""

    def _find_lacking(
        self, template: Template, message: SendMessage, context: dict[str, object]
    ) -> None:
        try:
            render_linked(UNSENT, template, message, context, strict=True)
        except RenderFailed as error:
            self._note(template, message, error)

    def _note(self, template: Template, message: SendMessage, error: RenderFailed) -> None:
        if self._strict:
            told = f"{error.path or template.path}:{error.line}: {error.reason}: {message.user_id}"
            self.flaws[message.campaign].append(told)
