"""The operator's port: who may ask, by which name, and what is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.server.admin.port import is_own_name
from engine.server.rates import BAD_KEYS_BURST, GUESSES_BURST
from tests.server.asking import ask
from tests.server.house import House

if TYPE_CHECKING:
    from pathlib import Path

SECOND_NS = 1_000_000_000


async def test_metrics_are_prometheus_text(house: House) -> None:
    await house.post("/events", {"user_id": "a-user", "event": "E"})
    answer = await house.get("/metrics", admin=True)

    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'hairspring_inputs_total{fate="accepted"} 1.0' in answer.text
    assert "a-user" not in answer.text


@pytest.mark.parametrize("route", ["/healthz", "/readyz"])
async def test_health_is_on_the_admin_port_too(house: House, route: str) -> None:
    answer = await house.get(route, admin=True)

    assert answer.status == 200
    assert "X-Request-Id" in answer.headers


@pytest.mark.parametrize("route", ["/metrics", "/healthz"])
async def test_a_foreign_host_name_is_refused(house: House, route: str) -> None:
    answer = await house.get(route, admin=True, headers={"Host": "evil.example"})

    assert answer.status == 403
    assert answer.json["code"] == "host.foreign"


async def test_events_are_not_taken_on_the_admin_port(house: House) -> None:
    async with house.client.post(house.admin.url + "/events", json={}) as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1:8081", True),
        ("127.0.0.1", True),
        ("localhost:8081", True),
        ("LOCALHOST", True),
        ("[::1]:8081", True),
        ("[::1]", True),
        ("10.1.2.3:8081", True),
        ("Ops.Internal:8081", True),
        ("evil.example", False),
        ("evil.example:8081", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example:80", False),
        ("", False),
    ],
)
def test_a_host_header_is_ones_own_where_no_stranger_can_claim_it(host: str, own: bool) -> None:
    assert own == is_own_name(host, "ops.internal")


@pytest.mark.parametrize(
    ("client", "said", "status"),
    [
        ("10.0.0.5", None, 401),
        ("10.0.0.5", b"Bearer an-admin-key", 200),
        ("10.0.0.5", b"Bearer other", 401),
        ("10.0.0.5", b"Bearer ", 401),
        ("10.0.0.5", b"Bearer \xff", 401),
        ("::ffff:10.0.0.5", None, 401),
        ("127.0.0.1", None, 401),
        ("", None, 401),
        (None, None, 401),
    ],
)
async def test_whoever_comes_by_a_proxy_needs_the_admin_key(
    tmp_path: Path, client: str | None, said: bytes | None, status: int
) -> None:
    house = await House.start(tmp_path, proxies=("127.0.0.1",))
    lines = [] if client is None else [f"X-Forwarded-For: {client}".encode()]
    lines += [] if said is None else [b"Authorization: " + said]
    head = b"\r\n".join([b"GET /metrics HTTP/1.1", b"Host: localhost", *lines, b"", b""])
    answered, _, _ = await ask(house, head, admin=True)
    await house.aclose()

    assert answered == status


async def test_a_proxy_that_nobody_listed_needs_it_too(house: House) -> None:
    told = await house.get("/metrics", admin=True, headers={"X-Forwarded-For": "127.0.0.1"})
    key = {"X-Forwarded-For": "127.0.0.1", "Authorization": "Bearer an-admin-key"}

    assert (told.status, told.json["code"]) == (401, "key.unknown")
    assert (await house.get("/metrics", admin=True, headers=key)).status == 200


async def test_wrong_admin_keys_bar_the_client_and_not_the_proxy(tmp_path: Path) -> None:
    house = await House.start(tmp_path, proxies=("127.0.0.1",))

    async def ask_as(client: str, key: str) -> int:
        headers = {"X-Forwarded-For": client, "Authorization": f"Bearer {key}"}
        return (await house.get("/metrics", admin=True, headers=headers)).status

    said = [await ask_as("203.0.113.7", f"guess-{n}") for n in range(BAD_KEYS_BURST + 1)]
    barred = await ask_as("203.0.113.7", "an-admin-key")
    other = await ask_as("203.0.113.8", "an-admin-key")
    await house.aclose()

    assert said == [401] * BAD_KEYS_BURST + [429]
    assert (barred, other) == (429, 200)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def test_whoever_guesses_keys_is_not_listened_to_for_a_while(house: House) -> None:
    async def asked(key: str) -> Any:
        return await house.get("/api/campaigns", admin=True, headers=bearer(key))

    wrong = [(await asked(f"guess-{n}")).status for n in range(BAD_KEYS_BURST + 1)]
    right = await asked("an-admin-key")
    assert wrong == [401] * BAD_KEYS_BURST + [429]
    assert (right.status, right.headers["Retry-After"]) == (429, "1")

    house.monotonic_ns += SECOND_NS
    assert (await asked("an-admin-key")).status == 503  # the house of these tests is not ready


async def test_a_request_without_any_key_guesses_nothing(house: House) -> None:
    none = [(await house.get("/api/campaigns", admin=True)).status for _ in range(110)]
    assert set(none) == {401}
    known = await house.get("/api/campaigns", admin=True, headers=bearer("an-admin-key"))
    assert known.status == 503


async def test_signing_in_has_a_rate(house: House) -> None:
    async def typed(key: str) -> Any:
        form = {"key": key, "to": "/"}
        url = house.admin.url + "/sign-in"
        async with house.client.post(url, data=form, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Retry-After"), await answer.text()

    wrong = [(await typed(f"guess-{n}"))[0] for n in range(GUESSES_BURST)]
    status, again, page = await typed("an-admin-key")
    assert wrong == [401] * GUESSES_BURST
    assert (status, again) == (429, "1")
    assert "come again in 1 s" in page

    # Nor is the key tried in the address, which lets in whoever has the way in of this run.
    way = f"{house.admin.url}/sign-in?way-in=an-admin-key"
    async with house.client.get(way, allow_redirects=False) as answer:
        assert answer.status == 429

    house.monotonic_ns += SECOND_NS
    assert (await typed("an-admin-key"))[0] == 303


@pytest.mark.parametrize(
    ("path", "accept", "told"),
    [
        ("/none", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "text/html"),
        ("/none", "*/*", "application/problem+json"),
        ("/none", None, "application/problem+json"),
        ("/api/none", "text/html", "application/problem+json"),
    ],
)
async def test_a_path_that_is_none_is_told_to_people_by_a_page_and_to_programs_by_a_problem(
    house: House, path: str, accept: str | None, told: str
) -> None:
    headers = {} if accept is None else {"Accept": accept}
    answer = await house.get(path, admin=True, headers=headers)
    assert (answer.status, answer.headers["Content-Type"].split(";")[0]) == (404, told)


async def test_a_page_of_a_refusal_bears_what_every_page_does(house: House) -> None:
    answer = await house.get("/none", admin=True, headers={"Accept": "text/html"})
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "X-Request-Id" in answer.headers
    put = f"{house.admin.url}/users"
    async with house.client.put(put, headers={"Accept": "text/html"}) as refused:
        assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD")
