"""What stock browser SDKs fetch first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.house import KEY

if TYPE_CHECKING:
    from tests.server.house import House


async def test_analytics_js_is_told_to_send_to_the_host_that_it_asked(house: House) -> None:
    answer = await house.get(f"/v1/projects/{KEY}/settings")

    told = answer.json["integrations"]["Segment.io"]
    host = house.site.url.removeprefix("http://")
    assert told == {"apiKey": KEY, "apiHost": f"{host}/v1", "protocol": "http"}


async def test_a_proxy_says_that_the_browser_came_by_tls(house: House) -> None:
    headers = {"X-Forwarded-Proto": "https", "Host": "events.example"}
    answer = await house.get(f"/v1/projects/{KEY}/settings", headers=headers)

    told = answer.json["integrations"]["Segment.io"]
    assert (told["protocol"], told["apiHost"]) == ("https", "events.example/v1")


@pytest.mark.parametrize("path", ["/sourceConfig", "/sourceConfig/"])
async def test_rudderstack_is_given_a_source_without_destinations(house: House, path: str) -> None:
    answer = await house.get(f"{path}?p=npm&writeKey={KEY}")

    source = answer.json["source"]
    assert (source["writeKey"], source["enabled"], source["destinations"]) == (KEY, True, [])


async def test_an_unknown_key_has_no_settings(house: House) -> None:
    for path in ("/v1/projects/other/settings", "/sourceConfig/?writeKey=other"):
        answer = await house.get(path)
        assert answer.status == 401
