"""What a value of `hairspring.toml` may be, and how it is read."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

Network: TypeAlias = Annotated[
    str,
    Meta(
        description='an IP address like "127.0.0.1", or a network like "10.0.0.0/8"',
        extra={"reads": "network"},
    ),
]
Text: TypeAlias = Annotated[str, Meta(min_length=1, description="text in quotes, not empty")]
FileName: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^(?!(lock|outbox)$)[A-Za-z0-9][A-Za-z0-9._-]*$",
        description='the name of a file in the data folder, like "hairspring.db"',
    ),
]
Flag: TypeAlias = Annotated[bool, Meta(description="true or false")]
Count: TypeAlias = Annotated[int, Meta(ge=1, description="a whole number, 1 or more")]
CountOrNone: TypeAlias = Annotated[int, Meta(ge=0, description="a whole number, 0 or more")]
Port: TypeAlias = Annotated[int, Meta(ge=0, le=65535, description="a port, 0 to 65535")]
Duration: TypeAlias = Annotated[
    int, Meta(description='a duration like "30s", "10m" or "7d"', extra={"reads": "duration"})
]
Size: TypeAlias = Annotated[
    int, Meta(ge=1, description='a size like "32 KiB" or "1 MiB"', extra={"reads": "size"})
]
Share: TypeAlias = Annotated[
    float, Meta(description='a share from "0%" to "100%"', extra={"reads": "share"})
]
Zone: TypeAlias = Annotated[
    str, Meta(description='an IANA time zone like "Europe/Paris"', extra={"reads": "zone"})
]
Locale: TypeAlias = Annotated[
    str, Meta(description='a locale like "en" or "fr-FR"', extra={"reads": "locale"})
]
Currency: TypeAlias = Annotated[
    str, Meta(pattern=r"^[A-Z]{3}$", description='a currency\'s code like "EUR"')
]
Inside: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^$|^(?!.*(^|/)\.)[^/\\]+(/[^/\\]+)*\.(json|csv)$",
        description='a file in the shop folder like "products.json" or "products.csv"',
    ),
]
Address: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^https?://[^\s/]+", description="an address that starts with https:// or http://"
    ),
]
Secret: TypeAlias = Annotated[
    str,
    Meta(description='text in quotes, or "env:NAME"', extra={"reads": "secret"}),
]
CatalogField: TypeAlias = Literal[
    "id", "title", "url", "image", "price", "currency", "stock", "rating", "reviews"
]
ChannelId: TypeAlias = Literal["email", "push", "sms", "in_app", "webhook"]
Clock: TypeAlias = Annotated[
    str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description='a time of day like "21:00"')
]
TopicId: TypeAlias = Annotated[
    str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,99}$", description="a name of a-z, 0-9 and -")
]
UtmKey: TypeAlias = Literal["source", "medium", "campaign", "content", "term"]
Day: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
