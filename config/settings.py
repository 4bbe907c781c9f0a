"""What `hairspring.toml` says: every key with its default and its range.

Attributes end in their unit where the key does not (`body_max` is `body_max_bytes` here). A field's
metadata says how it is read (`reads`: a duration, a size, …) and whether it is still to be built
(`later`): such a key parses, and a value other than its default is a warning.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, field, structs

from channels import links
from channels.settings import SETTINGS, ChannelSettings
from channels.templates.customs import Customs
from config.alerts import Alerts
from config.kinds import (
    Address,
    CatalogField,
    ChannelId,
    Clock,
    Count,
    Currency,
    Day,
    Duration,
    FileName,
    Flag,
    Inside,
    Locale,
    Secret,
    Share,
    Size,
    Text,
    TopicId,
    UtmKey,
    Zone,
)
from config.serving import Keys, Server
from config.sinks import SinkSettings
from config.webhooks import WebhookSource
from engine.core.calendar import DAYS, EVERY_DAY
from engine.core.messages.caps import CAP_MAX
from engine.core.messages.caps import Cap as CoreCap
from engine.core.messages.quiet import QuietHours as CoreQuietHours
from engine.core.policy import Policy

LATER: Final = Meta(extra={"later": "leave it out until it is"})
"""Marks a key that parses and does nothing yet, and says what to do about it."""


class About(msgspec.Struct, frozen=True, kw_only=True):
    """`[shop]`: its name, and what its messages take for granted.

    Attributes:
        timezone: IANA; of users who have none.
        url: Where links in messages lead.
        currency: Of amounts that name none (the filter `money`).
        locale: Of users who have none.
    """

    name: Text = "My shop"
    timezone: Zone = "UTC"
    currency: Currency = "USD"
    locale: Locale = "en"
    url: Address = "http://localhost:8080"


class Storage(msgspec.Struct, frozen=True, kw_only=True):
    """`[storage]`: the database in the data folder, and what a restart does.

    Attributes:
        sync: `full` survives a power cut, `normal` may lose the last instants in one.
        max_replay: Inputs that a restart replays at most.
        resume_grace_ms: How long what fell due during a downtime waits for clients to send again.
        dead_letters_max, dead_letters_bytes_max: Dead letters kept, about; else the oldest go.
    """

    file: FileName = "hairspring.db"
    sync: Literal["full", "normal"] = "full"
    max_replay: Count = 100_000
    resume_grace_ms: Duration = field(default=30_000, name="resume_grace")
    dead_letters_max: Count = 100_000
    dead_letters_bytes_max: Size = field(default=1 << 30, name="dead_letters_size_max")


class Events(msgspec.Struct, frozen=True, kw_only=True):
    """`[events]`: how late an event may enter somebody, how long its id, and it, are remembered."""

    max_lateness_ms: Duration = field(default=86_400_000, name="max_lateness")
    dedupe_window_ms: Duration = field(default=86_400_000, name="dedupe_window")
    dedupe_max: Count = 5_000_000
    session_gap_ms: Duration = field(default=1_800_000, name="session_gap")
    keep_ms: Duration = field(default=2_592_000_000, name="keep")


class History(msgspec.Struct, frozen=True, kw_only=True):
    """`[history]`: how many events of one name are kept for a user."""

    max_events: Count = 1000


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """`[consent]`: channels that need it for marketing, and what silence means there.

    Attributes:
        honor_gpc: Whether `Sec-GPC` and `DNT` mean that nothing is tracked.
        topics: By id, what people may want no more of, in words for them.
    """

    required: tuple[ChannelId, ...] = ("email", "sms")
    unknown: Literal["deny", "allow"] = "deny"
    honor_gpc: Flag = True
    topics: dict[TopicId, Text] = {}


class Tracking(msgspec.Struct, frozen=True, kw_only=True):
    """`[tracking]`: what is learnt of what becomes of messages; see `channels.links.Tracking`."""

    opens: Flag = True
    clicks: Flag = True
    transactional: Flag = False
    utm: dict[UtmKey, Text] = {}
    expires_ms: Duration = field(default=31_536_000_000, name="expires")

    def of_links(self) -> links.Tracking:
        """The same, as those read it who make links."""
        return links.Tracking(**structs.asdict(self))


class Cap(msgspec.Struct, frozen=True, kw_only=True):
    """At most `max` messages in any `per`, on one channel or (None) on all."""

    max: Annotated[int, Meta(ge=1, le=CAP_MAX, description="a whole number from 1 to 10000")]
    per_ms: Duration = field(name="per")
    channel: ChannelId | None = None


class QuietHours(msgspec.Struct, frozen=True, kw_only=True):
    """The user's local time, from (inclusive) to (exclusive).

    `days` are those on which it begins; None: every day.
    """

    from_clock: Clock = field(name="from")
    to_clock: Clock = field(name="to")
    days: tuple[Day, ...] | None = None


class Guardrails(msgspec.Struct, frozen=True, kw_only=True):
    """`[guardrails]`: see the campaign language.

    Attributes:
        enrollments_max: Active ones, a user.
        holdout: Share of users, 0.0 to 1.0, who go through every campaign and are sent nothing.
    """

    caps: tuple[Cap, ...] = ()
    spacing_ms: Duration = field(default=0, name="spacing")
    enrollments_max: Count = 100
    holdout: Share = 0.0
    quiet_hours: QuietHours | None = None

    def core_caps(self) -> tuple[CoreCap, ...]:
        """The caps as the core asks them, `spacing` among them: one message in that time."""
        caps = [CoreCap(cap.max, cap.per_ms, cap.channel or "") for cap in self.caps]
        return (*caps, CoreCap(1, self.spacing_ms)) if self.spacing_ms else tuple(caps)

    def core_quiet_hours(self) -> CoreQuietHours | None:
        """The quiet hours as the core asks them."""
        quiet = self.quiet_hours
        if quiet is None:
            return None
        days = EVERY_DAY if quiet.days is None else frozenset(map(DAYS.index, quiet.days))
        return CoreQuietHours(_minute(quiet.from_clock), _minute(quiet.to_clock), days)


def _minute(clock: str) -> int:
    """The minute of the day of a time such as `21:00`."""
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)


class Testing(msgspec.Struct, frozen=True, kw_only=True):
    """`[testing]`: who receives campaigns of status `test`, and a staging shop's redirections."""

    users: tuple[Text, ...] = ()
    redirect_to: dict[ChannelId, Text] = {}

    def redirections(self) -> dict[str, str]:
        """Addresses that messages go to instead, by channel id."""
        return {channel: address for channel, address in self.redirect_to.items()}  # noqa: C416 - of another key type


class CatalogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[catalog]`: the shop's products, for templates.

    Attributes:
        file: In the shop folder; or
        url: where the products are fetched, again after each `refresh_ms`.
        authorization: Sent as `Authorization` with each fetch, if not empty.
        fields: What the feed calls a product's `id`, `title`, …, where it is something else.
        viewed: Events by which a product was looked at, for `recommend`.
        bought: Events by which products were bought; theirs are in `products`, or it is one.
    """

    file: Inside = ""
    url: Annotated[str, Meta(pattern=r"^$|^https?://[^\s/]+")] = ""
    refresh_ms: Annotated[Duration, Meta(ge=1000)] = field(default=900_000, name="refresh")
    authorization: Secret = ""
    fields: dict[CatalogField, Text] = {}
    viewed: tuple[Text, ...] = ("Product Viewed",)
    bought: tuple[Text, ...] = ("Order Completed",)


class CouponSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[coupons]`: `low` is how few codes of a pool are left when the log begins to warn of it."""

    low: Count = 50


def default_channels() -> dict[str, ChannelSettings]:
    """Each channel with its defaults, by id."""
    return {channel: kind() for channel, kind in SETTINGS.items()}


ItemsMax: TypeAlias = Annotated[
    int, Meta(ge=1, le=1000, description="a whole number from 1 to 1000")
]


class ShopCollection(msgspec.Struct, frozen=True, kw_only=True):
    """`[collections.NAME]`: one of the shop's own, such as a wishlist.

    Attributes:
        add: Names of the events that add an item.
        remove: Names of those that take from its quantity.
        clear: Names of those that empty it.
        key: The property that tells one item from another.
        items_max: Items kept; beyond it the oldest go.
        form: As `cart`, a map with its items, or as `recent`, a list, newest first.
    """

    add: tuple[Text, ...]
    remove: tuple[Text, ...] = ()
    clear: tuple[Text, ...] = ()
    key: Text = "product_id"
    items_max: ItemsMax = 100
    form: Literal["cart", "recent"] = "cart"


class CartCollection(msgspec.Struct, frozen=True, kw_only=True):
    """`[collections.cart]`: what is in a user's cart."""

    add: tuple[Text, ...] = ("Product Added",)
    remove: tuple[Text, ...] = ("Product Removed",)
    clear: tuple[Text, ...] = ("Order Completed", "Cart Cleared")
    key: Text = "product_id"
    items_max: ItemsMax = 100
    form: ClassVar[Literal["cart"]] = "cart"


class RecentCollection(msgspec.Struct, frozen=True, kw_only=True):
    """`[collections.recent]`: what a user looked at last."""

    add: tuple[Text, ...] = ("Product Viewed",)
    clear: tuple[Text, ...] = ()
    key: Text = "product_id"
    items_max: ItemsMax = 10
    form: ClassVar[Literal["recent"]] = "recent"
    remove: ClassVar[tuple[str, ...]] = ()


CollectionSettings: TypeAlias = ShopCollection | CartCollection | RecentCollection

COLLECTIONS: Final[dict[str, type[CartCollection | RecentCollection]]] = {
    "cart": CartCollection,
    "recent": RecentCollection,
}
"""Those that every shop has."""


def default_collections() -> dict[str, CollectionSettings]:
    """Those that every shop has, with their defaults, by name."""
    return {name: kind() for name, kind in COLLECTIONS.items()}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All of `hairspring.toml`; made without arguments it is what an empty file means."""

    shop: About = About()
    server: Server = Server()
    keys: Keys = Keys()
    storage: Storage = Storage()
    events: Events = Events()
    history: History = History()
    consent: Consent = Consent()
    tracking: Tracking = Tracking()
    guardrails: Guardrails = Guardrails()
    testing: Testing = Testing()
    catalog: CatalogSettings = CatalogSettings()
    coupons: CouponSettings = CouponSettings()
    alerts: Alerts = Alerts()
    filters: dict[str, str] = {}
    sinks: dict[str, SinkSettings] = {}
    webhooks: dict[str, WebhookSource] = {}
    channels: dict[str, ChannelSettings] = field(default_factory=default_channels)
    collections: dict[str, CollectionSettings] = field(default_factory=default_collections)

    def customs(self) -> Customs:
        """What of it templates are parsed by."""
        shop, filters = self.shop, tuple(self.filters.items())
        return Customs(
            currency=shop.currency, locale=shop.locale, timezone=shop.timezone, filters=filters
        )

    def policy(self) -> Policy:
        """What of it the core decides by."""
        return Policy(
            max_lateness_ms=self.events.max_lateness_ms,
            session_gap_ms=self.events.session_gap_ms,
            enrollments_max=self.guardrails.enrollments_max,
            consent_required=frozenset(self.consent.required),
            consent_unknown_allows=self.consent.unknown == "allow",
            testers=frozenset(self.testing.users),
            events_kept_max=self.history.max_events,
            holdout=self.guardrails.holdout,
            caps=self.guardrails.core_caps(),
            quiet_hours=self.guardrails.core_quiet_hours(),
            timezone=self.shop.timezone,
            utm=tuple(self.tracking.utm.items()),
            utm_transactional=self.tracking.transactional,
        )


SECTIONS: Final[dict[str, type[msgspec.Struct]]] = {
    "shop": About,
    "server": Server,
    "keys": Keys,
    "storage": Storage,
    "events": Events,
    "history": History,
    "consent": Consent,
    "tracking": Tracking,
    "guardrails": Guardrails,
    "testing": Testing,
    "catalog": CatalogSettings,
    "coupons": CouponSettings,
    "alerts": Alerts,
}
"""The Struct of each section but `[channels.*]`, and those with names of the shop's own."""
