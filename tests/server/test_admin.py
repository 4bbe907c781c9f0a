"""The operator's port: who may ask, by which name, and what is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.server.admin import admits, is_own_name

if TYPE_CHECKING:
    from tests.server.house import House


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
    ("peer", "authorization", "key", "admitted"),
    [
        ("127.0.0.1", "", "k", True),
        ("127.9.9.9", "", "", True),
        ("::1", "", "k", True),
        ("::ffff:127.0.0.1", "", "k", True),
        ("10.0.0.5", "", "k", False),
        ("10.0.0.5", "Bearer k", "k", True),
        ("10.0.0.5", "Bearer other", "k", False),
        ("10.0.0.5", "Bearer ", "", False),
        ("::ffff:10.0.0.5", "", "k", False),
        ("", "", "k", False),
        ("10.0.0.5", "Bearer \udcff", "k", False),
    ],
)
def test_another_machine_needs_the_admin_key(
    peer: str, authorization: str, key: str, admitted: bool
) -> None:
    assert admitted == admits(peer, authorization, key)
