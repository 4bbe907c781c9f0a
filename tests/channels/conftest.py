from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trustme

from tests.channels.providers import HttpProvider, SmtpProvider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(params=["one by one", "pipelining"])
async def mail_server(
    request: pytest.FixtureRequest, authority: trustme.CA, ca_file: Path
) -> AsyncIterator[SmtpProvider]:
    offers = ["PIPELINING"] if request.param == "pipelining" else []
    provider = SmtpProvider("none", authority, ca_file, offers=offers)
    await provider.start()
    yield provider
    await provider.close()


@pytest.fixture
async def http_server() -> AsyncIterator[HttpProvider]:
    provider = HttpProvider()
    await provider.start()
    yield provider
    await provider.close()


@pytest.fixture
async def channel(mail_server: SmtpProvider) -> AsyncIterator[Any]:
    made = mail_server.make()
    yield made
    await made.aclose()
