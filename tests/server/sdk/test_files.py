"""The SDK's files: as small as promised, built from their sources, sent as browsers want them."""

from __future__ import annotations

import gzip
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import engine.server.sdk
from config.serving import WriteKey
from engine.server.sdk import CORE_BYTES_MAX, FILES, SdkFile
from tests.clients import node
from tests.server.house import KEY, House

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SDK = Path(engine.server.sdk.__file__).parent
SHOP = "https://shop.example"


@pytest.mark.timeout(400)  # esbuild may have to be installed
def test_what_is_committed_is_what_the_sources_build(tmp_path: Path) -> None:
    if reason := node.why_not():
        pytest.skip(reason)
    where = {**os.environ, "ESBUILD_FROM": str(node.HERE / "node_modules/here.js")}
    subprocess.run(["node", SDK / "build.mjs", tmp_path], env=where, check=True, timeout=60)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (SDK / name).read_bytes(), f"{name}: make sdk"


def test_a_page_waits_for_less_than_six_kilobytes() -> None:
    assert len(SdkFile.read("sdk.js").packed) < CORE_BYTES_MAX


def test_nothing_in_them_makes_code_of_text_or_loads_from_elsewhere() -> None:
    for name in FILES:
        text = (SDK / name).read_text()
        banned = ("eval(", "new Function", "https://", "http://")
        assert [word for word in banned if word in text] == []


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[House]:
    house = await House.start(tmp_path, keys=(WriteKey(key=KEY, origins=(SHOP,)),))
    yield house
    await house.aclose()


@pytest.mark.parametrize("name", FILES)
async def test_a_file_is_sent_small_and_kept_for_an_hour(shop: House, name: str) -> None:
    url = f"{shop.site.url}/{name}"
    asked = {"Accept-Encoding": "gzip, br", "Origin": SHOP}
    async with shop.client.get(url, headers=asked, auto_decompress=False) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert answer.headers["Content-Encoding"] == "gzip"
        assert answer.headers["Cache-Control"] == "public, max-age=3600"
        assert answer.headers["Vary"] == "Accept-Encoding, Origin"
        assert answer.headers["Access-Control-Allow-Origin"] == SHOP
        assert gzip.decompress(await answer.read()) == (SDK / name).read_bytes()
        tag = answer.headers["ETag"]
    async with shop.client.get(url, headers={"If-None-Match": tag}) as answer:
        assert (answer.status, await answer.read()) == (304, b"")
    async with shop.client.get(url, headers={"Accept-Encoding": "identity"}) as answer:
        assert "Content-Encoding" not in answer.headers
        assert await answer.read() == (SDK / name).read_bytes()
