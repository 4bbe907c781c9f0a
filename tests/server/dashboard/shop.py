"""The demo shop as a process serves it, and somebody who looks at it."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
from playwright.async_api import async_playwright

from config import demo_shop, load_folder
from engine.app import App, Options
from tests.clients.chromium import QUIET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Page

    from config import Shop

KEY = "an-admin-key-of-this-test"


class Served:
    """A running process, with what clients and operators send to it."""

    def __init__(self, app: App, client: aiohttp.ClientSession) -> None:
        self.app = app
        self.client = client

    @property
    def url(self) -> str:
        return self.app.admin.url

    async def send(self, *items: dict[str, Any]) -> None:
        key = self.app.shop.settings.keys.write[0].key
        headers = {"Authorization": f"Bearer {key}"}
        url = f"{self.app.ingest.url}/events"
        async with self.client.post(url, json=list(items), headers=headers) as answer:
            assert (await answer.json())["rejected"] == []

    async def send_bad(self, item: dict[str, Any]) -> None:
        key = self.app.shop.settings.keys.write[0].key
        headers = {"Authorization": f"Bearer {key}"}
        url = f"{self.app.ingest.url}/events"
        async with self.client.post(url, json=[item], headers=headers) as answer:
            assert len((await answer.json())["rejected"]) == 1

    async def sign_in(self) -> None:
        """As a client without a browser."""
        form = {"key": KEY, "to": "/users"}
        async with self.client.post(self.url + "/sign-in", data=form) as answer:
            assert (answer.status, answer.url.path) == (200, "/users")

    async def get(self, path: str, **options: Any) -> tuple[int, str]:
        async with self.client.get(self.url + path, **options) as answer:
            return answer.status, await answer.text()

    async def settled(self) -> None:
        """Wait until what was sent has gone out."""
        while len(self.app.dispatcher) or self.app.shell.inbox.waiting:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def serve(
    folder: Path,
    shop: Shop | None = None,
    home: Path | None = None,
    proxies: tuple[str, ...] = (),
) -> AsyncIterator[Served]:
    chosen = shop or load_folder(demo_shop())
    keys = msgspec.structs.replace(chosen.settings.keys, admin=KEY)
    server = msgspec.structs.replace(chosen.settings.server, proxies=proxies)
    settings = msgspec.structs.replace(chosen.settings, keys=keys, server=server)
    chosen = msgspec.structs.replace(chosen, settings=settings)
    app = await App.start(chosen, Options(data=folder, folder=home, port=0))
    jar = aiohttp.CookieJar(unsafe=True)  # of an address, which most clients keep none for
    stop = asyncio.Event()
    running = asyncio.create_task(app.run(stop))
    async with aiohttp.ClientSession(cookie_jar=jar) as client:
        yield Served(app, client)
    stop.set()
    await running
    await app.stop()


def shopper(user_id: str, **traits: Any) -> list[dict[str, Any]]:
    """Somebody who signs up and leaves a cart alone."""
    said = {"email": f"{user_id}@example.com", "consent": {"email": True}, **traits}
    product = {"product_id": "mug", "name": "A mug", "price": 30.0, "currency": "EUR"}
    return [
        {"type": "identify", "user_id": user_id, "traits": said},
        {"user_id": user_id, "event": "Signed Up", "properties": {"plan": "<b>free</b>"}},
        {"user_id": user_id, "event": "Product Added", "properties": product},
    ]


@asynccontextmanager
async def a_page(
    served: Served, width: int = 1440, *, signed_in: bool = True, **more: Any
) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=QUIET
        )
        context = await browser.new_context(viewport={"width": width, "height": 900}, **more)
        page = await context.new_page()
        if signed_in:
            await page.goto(served.app.way_in)
        yield page
        await browser.close()
