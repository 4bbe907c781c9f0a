"""Real ends for every transport: a folder, an SMTP server, an HTTP server, on 127.0.0.1.

A transport joins the suite (`test_conformance`) by an `End` of its own and a line in `ENDS`.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import hashlib
import sqlite3
import ssl
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias
from urllib.parse import parse_qsl

import http_ece
import msgspec
from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography.hazmat.primitives.asymmetric import ec

from channels.aes128gcm import encoded_point
from channels.base import CHANNEL_IDS, Message
from channels.inbox import MESSAGE_BYTES_MAX
from channels.registry import (
    EmailSettings,
    InAppSettings,
    PushSettings,
    SmsSettings,
    WebhookSettings,
    build_channels,
)
from channels.vapid import to_base64url
from engine.runtime.delivery.inboxes import Inboxes
from engine.sim.world.providers import Provider
from engine.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from channels.base import Channel
    from channels.settings import ChannelSettings
    from engine.sim.world.providers import Fate

AT_MS = 1_767_225_600_123
USER, PASSWORD = "shop", "open sesame"
ACCOUNT = "AC01234567890123456789012345678901"
VAPID = "b7hUFnCEFWWoQBkSoO4s5HBcgkTsNEnnJkkqlF2ZDtU"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
FRONT = {
    "email": {"subject": "Ça va, 世界? 😀", "from": "Mön Shop, Inc <shop@example.com>"},
    "push": {"title": "Ça va", "url": "https://shop.example/cart"},
    "sms": {},
    "in_app": {"title": "Ça va", "style": "banner"},
    "webhook": {},
}
TO = {
    "email": "ann@example.org",
    "push": '{"endpoint":"https://push.example/1"}',
    "sms": "+33612345678",
    "in_app": "",
    "webhook": "",
}


def message(channel: str, number: int = 1, **changes: Any) -> Message:
    """A message whose id is a hash, as effect ids are."""
    made = Message(
        id=hashlib.sha256(f"{channel}{number}".encode()).hexdigest()[:32],
        at_ms=AT_MS,
        user_id="u1",
        campaign="cart-abandonment",
        step="first",
        channel=channel,
        to=TO[channel],
        front=FRONT[channel],
        body='{"text": "Ça va, 世界? 😀"}',
        html=False,
    )
    return msgspec.structs.replace(made, **changes)


Mood: TypeAlias = Literal["well", "busy", "hangs", "cuts", "deaf", "raves", "refuses"]
"""How an end takes what it is given: as it should; not now; without a word; by cutting the
connection before it took anything; by cutting it once it has the message; with nonsense; never."""

BAD_MOODS: tuple[Mood, ...] = ("busy", "hangs", "cuts", "deaf", "raves")
"""Those that pass: what was handed over in one is tried again."""


class End(Protocol):
    """What the suite asks of the far end of a transport.

    Attributes:
        channel_id: Whose messages it takes.
        duplicates: Wires that two deliveries of one message leave.
        refused: A message that it refuses for good; None where it refuses nothing.
        moods: Those of `BAD_MOODS` that it can be in.
    """

    channel_id: str
    duplicates: int
    refused: Message | None
    moods: Sequence[Mood]

    async def start(self) -> None: ...

    def make(self, **changes: Any) -> Channel:
        """A channel to it, as the registry builds it; `changes` are of its settings."""

    def wires(self) -> Sequence[bytes]:
        """What it took, in order."""

    def key(self, wire: bytes) -> str:
        """The effect id that came with it."""

    def body(self, wire: bytes) -> str: ...

    def be(self, mood: Mood) -> None: ...

    async def stop(self) -> None:
        """Be down."""

    async def close(self) -> None: ...


class FileProvider:
    """A folder; each wire is the line that stands for a message."""

    duplicates = 1
    moods: ClassVar[Sequence[Mood]] = ()

    def __init__(self, channel: str, folder: Path) -> None:
        self.channel_id = channel
        self.folder = folder
        self.settings: dict[str, ChannelSettings] = {}
        self.refused = (
            message(channel, 99, to="ann, bob@example.org") if channel == "email" else None
        )

    async def start(self) -> None:
        pass

    def be(self, mood: Mood) -> None:
        pass

    def make(self, **_changes: Any) -> Channel:
        return build_channels(self.settings, data=self.folder)[self.channel_id]

    def wires(self) -> list[bytes]:
        path = self.folder / "outbox" / f"{self.channel_id}.ndjson"
        return path.read_bytes().splitlines() if path.exists() else []

    def key(self, wire: bytes) -> str:
        return msgspec.json.decode(wire)["id"]

    def body(self, wire: bytes) -> str:
        return msgspec.json.decode(wire)["body"]

    async def stop(self) -> None:
        self.folder.mkdir()
        (self.folder / "outbox").write_text("a file where the folder should be")

    async def close(self) -> None:
        pass


class WorldProvider:
    """The provider of a simulated world, in good health unless stopped; each wire is a message."""

    channel_id = "email"
    duplicates = 2
    moods: ClassVar[Sequence[Mood]] = ("busy", "deaf", "raves")

    def __init__(self) -> None:
        self.refused = message("email", 99, to="refused@example.org")
        self._mood: Mood = "well"
        self._handed = self.refused
        self._provider = Provider(self._fate, lambda _: 0.0)
        self._provider.on_handed = self._note

    def _note(self, handed: Message) -> None:
        self._handed = handed

    def _fate(self) -> Fate:
        if self._handed is self.refused:
            return "provider_rejects"
        fates: dict[Mood, Fate] = {"well": "taken", "deaf": "provider_deaf"}
        return fates.get(self._mood, "provider_busy")

    async def start(self) -> None:
        pass

    def be(self, mood: Mood) -> None:
        self._mood = mood

    def make(self, **_changes: Any) -> Channel:
        return self._provider.connect()

    def wires(self) -> list[bytes]:
        return [wire for _, wire in self._provider.wires]

    def key(self, wire: bytes) -> str:
        return msgspec.json.decode(wire)["id"]

    def body(self, wire: bytes) -> str:
        return msgspec.json.decode(wire)["body"]

    async def stop(self) -> None:
        self._mood = "busy"

    async def close(self) -> None:
        pass


class Mailbox:
    """What an SMTP server was given, and how it answers.

    Attributes:
        mails: The mails taken.
        connections: The sessions opened.
        replies: A reply to give instead of the usual one: by command, each once, in order.
        drop_at: The command at which the connection is cut, after a mail was taken.
        looks_for_s: How long it looks at a mail before it answers.
        offers: Extensions that it tells of besides its own.
        mood: How it takes what it is given, unless one of the above says otherwise.
    """

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.connections: list[asyncio.Transport] = []
        self.replies: dict[str, list[str]] = {}
        self.drop_at = ""
        self.looks_for_s = 0.0
        self.offers: list[str] = []
        self.mood: Mood = "well"

    def _in_mood(self, command: str, usual: str) -> str:
        if (self.mood, command) in {("cuts", "RCPT"), ("deaf", "DATA")}:
            self.drop_connections()
        if (self.mood, command) == ("busy", "RCPT"):
            return "451 4.3.2 come again"
        if (self.mood, command) == ("refuses", "DATA"):
            return "554 5.7.1 not this one"
        return "what is it now" if (self.mood, command) == ("raves", "MAIL") else usual

    def _reply(self, command: str, usual: str) -> str:
        usual = self._in_mood(command, usual)
        if command == self.drop_at:
            self.drop_connections()
        waiting = self.replies.get(command)
        return waiting.pop(0) if waiting else usual

    async def handle_EHLO(  # noqa: N802
        self, _server: SMTP, session: Any, _envelope: Any, name: str, replies: list[str]
    ) -> list[str]:
        session.host_name = name
        return [*replies[:-1], *(f"250-{one}" for one in self.offers), replies[-1]]

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, _session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.mood == "hangs":
            await asyncio.Event().wait()
        reply = self._reply("MAIL", "250 OK")
        if reply.startswith("2"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return reply

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        if address.startswith("refused@"):
            return f"550 5.1.1 <{address}>: no such user"
        reply = self._reply("RCPT", "250 OK")
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, _server: SMTP, _session: Any, envelope: Any) -> str:  # noqa: N802
        reply = self._reply("DATA", "250 2.0.0 queued as 42")
        if reply.startswith("2"):
            self.mails.append(envelope.original_content)
        await asyncio.sleep(self.looks_for_s)
        return reply

    def drop_connections(self) -> None:
        for transport in self.connections:
            transport.abort()


class _Server(SMTP):
    """aiosmtpd's server, telling its mailbox of connections so that a test can cut them."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.event_handler.connections.append(transport)


def login(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    good = data.login == USER.encode() and data.password == PASSWORD.encode()
    return AuthResult(success=good, handled=False)


class SmtpProvider:
    """An SMTP server; each wire is a mail as it arrived."""

    channel_id = "email"
    duplicates = 2
    moods = BAD_MOODS

    def __init__(
        self, tls: str, ca: Any, ca_file: Path, *, auth: bool = False, offers: Sequence[str] = ()
    ) -> None:
        self.mailbox = Mailbox()
        self.mailbox.offers += offers
        self.refused = message("email", 99, to="refused@example.org")
        self._tls = tls
        self._auth = auth
        self._ca_file = ca_file
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ca.issue_cert("127.0.0.1").configure_cert(self._context)

    def be(self, mood: Mood) -> None:
        self.mailbox.mood = mood

    async def start(self, **options: Any) -> None:
        starttls = self._tls == "starttls"
        options.setdefault("hostname", "mail.example")  # or it looks up this machine's own name
        if self._auth:
            options.update(authenticator=login, auth_required=starttls, auth_require_tls=starttls)

        def serve() -> SMTP:
            tls_context = self._context if starttls else None
            return _Server(
                self.mailbox, tls_context=tls_context, require_starttls=starttls, **options
            )

        implicit = self._context if self._tls == "implicit" else None
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(serve, "127.0.0.1", 0, ssl=implicit)
        self.port = self.server.sockets[0].getsockname()[1]

    def settings(self, **changes: Any) -> EmailSettings:
        made = EmailSettings(
            transport="smtp",
            host="127.0.0.1",
            port=self.port,
            tls=self._tls,
            ca_file=str(self._ca_file),
            username=USER if self._auth else "",
            password=PASSWORD if self._auth else "",
        )
        return msgspec.structs.replace(made, **changes)

    def make(self, **changes: Any) -> Channel:
        settings = {"email": self.settings(**changes)}
        return build_channels(settings, data=self._ca_file.parent)["email"]

    def wires(self) -> list[bytes]:
        return self.mailbox.mails

    def key(self, wire: bytes) -> str:
        return email.message_from_bytes(wire)["Message-ID"].strip("<>").partition("@")[0]

    def body(self, wire: bytes) -> str:
        mail = email.message_from_bytes(wire, policy=email.policy.default)
        return mail.get_content().replace("\r\n", "\n").removesuffix("\n")

    async def stop(self) -> None:
        self.server.close()
        self.mailbox.drop_connections()
        await self.server.wait_closed()

    async def close(self) -> None:
        if self.server.is_serving():
            await self.stop()


class HttpProvider:
    """An HTTP server; each wire is a request's body after the headers that matter."""

    channel_id = "webhook"
    duplicates = 2
    moods = BAD_MOODS

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.mood: Mood = "well"
        self.answer: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None

    async def start(self, *, tls: ssl.SSLContext | None = None) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/hook"
        self.refused = message("webhook", 99, front={"url": f"{self.url}/refused"})

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if request.path.endswith("/refused"):
            return web.Response(status=422, text="no")
        if self.mood not in {"well", "deaf"}:
            return await self._in_mood(request)
        self.requests.append((dict(request.headers), body))
        if self.mood == "deaf":
            assert request.transport is not None
            request.transport.abort()
        return await self.answer(request) if self.answer else web.Response(text="ok")

    async def _in_mood(self, request: web.Request) -> web.StreamResponse:
        transport = request.transport
        assert transport is not None
        if self.mood == "hangs":
            await asyncio.Event().wait()
        elif self.mood == "raves":
            transport.write(b"what is it now\r\n\r\n")
            transport.close()
        elif self.mood == "cuts":
            transport.abort()
        elif self.mood == "refuses":
            return web.Response(status=422, text="not this one")
        return web.Response(status=503, text="come again")

    def be(self, mood: Mood) -> None:
        self.mood = mood

    def make(self, now_ms: Callable[[], int] | None = None, **changes: Any) -> Channel:
        settings = WebhookSettings(
            transport="http", url=self.url, secret=SECRET, trusted=("127.0.0.1",)
        )
        changed = msgspec.structs.replace(settings, **changes)
        return build_channels({"webhook": changed}, data=Path(), now_ms=now_ms)["webhook"]

    def wires(self) -> list[bytes]:
        names = ("Content-Type", "Content-Length", "Idempotency-Key", "webhook-signature")
        return [
            msgspec.json.encode([headers[name] for name in names]) + b"\n" + body
            for headers, body in self.requests
        ]

    def key(self, wire: bytes) -> str:
        return msgspec.json.decode(wire.partition(b"\n")[0])[2]

    def body(self, wire: bytes) -> str:
        return wire.partition(b"\n")[2].decode()

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def close(self) -> None:
        await self._runner.cleanup()


class Browser:
    """One that has subscribed: it reads what its push service was given (by http-ece)."""

    def __init__(self, endpoint: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._auth = bytes(range(16))
        self.subscription = {
            "endpoint": endpoint,
            "expirationTime": None,
            "keys": {
                "p256dh": to_base64url(encoded_point(self._key.public_key())),
                "auth": to_base64url(self._auth),
            },
        }

    def read(self, body: bytes) -> dict[str, Any]:
        """The payload of a push, as JSON."""
        plain = http_ece.decrypt(body, private_key=self._key, auth_secret=self._auth)
        return msgspec.json.decode(plain)


class PushProvider(HttpProvider):
    """A push service with one browser, whose address is that of every message while it runs.

    Each wire is what the browser read, after the headers that matter.
    """

    channel_id = "push"

    async def start(self, *, tls: ssl.SSLContext | None = None) -> None:
        await super().start(tls=tls)
        self.browser = Browser(self.url)
        self.contact = "mailto:ops@shop.example"
        self._to = TO["push"]
        TO["push"] = msgspec.json.encode(self.browser.subscription).decode()
        self.refused = message("push", 99, to=self.subscribed("/refused"))

    def subscribed(self, path: str) -> str:
        """The address of another subscription of the browser."""
        other = {**self.browser.subscription, "endpoint": self.url + path}
        return msgspec.json.encode(other).decode()

    def make(self, now_ms: Callable[[], int] | None = None, **changes: Any) -> Channel:
        settings = PushSettings(
            transport="webpush", vapid_key=VAPID, contact=self.contact, trusted=("127.0.0.1",)
        )
        changed = msgspec.structs.replace(settings, **changes)
        return build_channels({"push": changed}, data=Path(), now_ms=now_ms)["push"]

    def wires(self) -> list[bytes]:
        names = ("Content-Encoding", "TTL", "Topic", "Urgency")
        return [
            msgspec.json.encode([headers[name] for name in names])
            + b"\n"
            + msgspec.json.encode(self.browser.read(body))
            for headers, body in self.requests
        ]

    def body(self, wire: bytes) -> str:
        return msgspec.json.decode(wire.partition(b"\n")[2])["body"]

    async def close(self) -> None:
        TO["push"] = self._to
        await super().close()


class TwilioProvider(HttpProvider):
    """What answers as Twilio's REST interface does; each wire is a form as it came.

    Attributes:
        error: Code and status to answer with instead of taking messages.
    """

    channel_id = "sms"

    def __init__(self) -> None:
        super().__init__()
        self.error: tuple[int, int] | None = None
        self.refused = message("sms", 99, to="+15005550001")
        self.answer = self._as_twilio

    async def start(self, *, tls: ssl.SSLContext | None = None) -> None:
        await super().start(tls=tls)
        self.refused = message("sms", 99, to="+15005550001")

    async def _as_twilio(self, request: web.Request) -> web.StreamResponse:
        form = dict(parse_qsl((await request.read()).decode()))
        error = (21211, 400) if form["To"] == self.refused.to else self.error
        if error is None:
            return web.json_response({"sid": "SM" + "0" * 32, "status": "queued"}, status=201)
        self.requests.pop()
        code, status = error
        said = {"code": code, "message": f"of {form['To']}", "status": status}
        return web.json_response(said, status=status)

    def make(self, now_ms: Callable[[], int] | None = None, **changes: Any) -> Channel:
        settings = SmsSettings(
            transport="twilio",
            base_url=f"http://127.0.0.1:{self.port}",
            account_sid=ACCOUNT,
            auth_token="a-token",
            from_="+15005550006",
        )
        changed = msgspec.structs.replace(settings, **changes)
        url = "https://shop.example"
        return build_channels({"sms": changed}, data=Path(), now_ms=now_ms, shop_url=url)["sms"]

    def forms(self) -> list[dict[str, str]]:
        return [dict(parse_qsl(body.decode())) for _, body in self.requests]

    def wires(self) -> list[bytes]:
        return [body for _, body in self.requests]

    def key(self, wire: bytes) -> str:
        callback = dict(parse_qsl(wire.decode()))["StatusCallback"]
        return dict(parse_qsl(callback.partition("?")[2]))["id"]

    def body(self, wire: bytes) -> str:
        return dict(parse_qsl(wire.decode()))["Body"]


class InboxProvider:
    """An inbox in a database; each wire is a message as it is kept there.

    It is busy where the file takes no message, and hangs while another process writes to it.
    """

    channel_id = "in_app"
    duplicates = 1
    refused = message("in_app", 99, body="x" * MESSAGE_BYTES_MAX)
    moods: ClassVar[Sequence[Mood]] = ("busy", "hangs")

    def __init__(self, folder: Path) -> None:
        self._path = folder / "inbox.db"

    async def start(self) -> None:
        self._store = await Store.open(self._path)
        await self._store.read(lambda c: c.execute("PRAGMA busy_timeout = 100").fetchall())
        self._other = sqlite3.connect(self._path, isolation_level=None)
        self._inboxes = Inboxes(self._store, lambda: AT_MS, lambda user_id: (user_id,), 1_000)

    def make(self, **changes: Any) -> Channel:
        settings = msgspec.structs.replace(InAppSettings(transport="inbox"), **changes)
        built = build_channels({"in_app": settings}, data=Path(), shelf=self._inboxes)
        return built["in_app"]

    def wires(self) -> list[bytes]:
        connection = sqlite3.connect(self._path)
        rows = connection.execute("SELECT message FROM inbox ORDER BY number").fetchall()
        connection.close()
        return [row[0] for row in rows]

    def key(self, wire: bytes) -> str:
        return msgspec.json.decode(wire)["id"]

    def body(self, wire: bytes) -> str:
        return msgspec.json.decode(wire)["body"]

    def be(self, mood: Mood) -> None:
        if self._other.in_transaction:
            self._other.execute("ROLLBACK")
        self._other.execute("DROP TRIGGER IF EXISTS busy")
        if mood == "hangs":
            self._other.execute("BEGIN IMMEDIATE")
        elif mood != "well":
            self._other.execute(
                "CREATE TRIGGER busy BEFORE INSERT ON inbox "
                "BEGIN SELECT RAISE(ABORT, 'come again'); END"
            )

    async def stop(self) -> None:
        await self._store.read(lambda c: c.execute("PRAGMA query_only = 1").fetchall())

    async def close(self) -> None:
        self._other.close()
        await self._store.close()


ENDS: dict[str, Callable[[Any, Path], End]] = {
    **{
        f"file-{channel}": partial(
            lambda channel, _ca, ca: FileProvider(channel, _data(ca)), channel
        )
        for channel in CHANNEL_IDS
    },
    "smtp-none": lambda ca, ca_file: SmtpProvider("none", ca, ca_file),
    "smtp-none-auth": lambda ca, ca_file: SmtpProvider("none", ca, ca_file, auth=True),
    "smtp-none-pipelining": lambda ca, ca_file: SmtpProvider(
        "none", ca, ca_file, offers=["PIPELINING"]
    ),
    "smtp-starttls-pipelining": lambda ca, ca_file: SmtpProvider(
        "starttls", ca, ca_file, offers=["PIPELINING"]
    ),
    "smtp-starttls": lambda ca, ca_file: SmtpProvider("starttls", ca, ca_file),
    "smtp-starttls-auth": lambda ca, ca_file: SmtpProvider("starttls", ca, ca_file, auth=True),
    "smtp-implicit": lambda ca, ca_file: SmtpProvider("implicit", ca, ca_file),
    "webhook-http": lambda _ca, _file: HttpProvider(),
    "inbox": lambda _ca, ca_file: InboxProvider(ca_file.parent),
    "twilio": lambda _ca, _file: TwilioProvider(),
    "webpush": lambda _ca, _file: PushProvider(),
    "world": lambda _ca, _file: WorldProvider(),
}
"""Every end there is, by name: made of a certificate authority and the file that has it."""


@asynccontextmanager
async def opened(end: End) -> AsyncIterator[End]:
    """An end that takes what is handed over, and is closed behind it."""
    await end.start()
    yield end
    await end.close()


SERVERS = [name for name in ENDS if not name.startswith(("file-", "world", "inbox"))]
"""Those that are reached over a network."""

REFUSING = ["file-email", *SERVERS, "world", "inbox"]
"""Those that refuse something for good."""


def _data(ca_file: Path) -> Path:
    return ca_file.parent / "data"
