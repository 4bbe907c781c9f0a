"""Who is let in, for how long, and what another page of the same machine cannot have done."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from engine.server.dashboard.session import LASTS_S, Sessions
from tests.server.dashboard.shop import KEY, serve

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.dashboard.shop import Served

MARK = re.compile(r'name="mark" value="([0-9a-f]{64})"')


async def post(served: Served, path: str, form: dict[str, str], **options: Any) -> tuple[int, str]:
    options.setdefault("allow_redirects", False)
    async with served.client.post(served.url + path, data=form, **options) as answer:
        return answer.status, await answer.text()


def test_a_session_ends_with_its_time_and_with_its_key() -> None:
    sessions = Sessions("a-key", "run-1")
    cookie = sessions.begin(1_000)

    assert sessions.is_good(cookie, 1_000 + LASTS_S - 1)
    assert not sessions.is_good(cookie, 1_000 + LASTS_S)
    assert not Sessions("another-key", "run-1").is_good(cookie, 1_000)
    assert not sessions.is_good(cookie.replace(str(1_000 + LASTS_S), "999999999"), 1_000)
    assert not sessions.is_good("", 1_000)
    assert "a-key" not in cookie


def test_without_a_key_nobody_is_let_in() -> None:
    sessions = Sessions("", "run-1")
    assert not sessions.admits("")
    assert not sessions.admits(sessions.way_in())
    assert not sessions.is_good(sessions.begin(1_000), 1_000)


def test_a_way_in_is_good_for_its_run_alone() -> None:
    assert Sessions("a-key", "run-1").admits(Sessions("a-key", "run-1").way_in())
    assert not Sessions("a-key", "run-2").admits(Sessions("a-key", "run-1").way_in())


async def test_the_cookie_is_kept_from_scripts_and_from_other_sites(served: Served) -> None:
    form = {"key": KEY, "to": "/"}
    async with served.client.post(
        served.url + "/sign-in", data=form, allow_redirects=False
    ) as answer:
        said = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(said.split("; "))
    assert KEY not in said


@pytest.mark.parametrize("path", ["/", "/users", "/users/ada"])
async def test_whoever_is_not_signed_in_is_asked_for_the_key_first(
    served: Served, path: str
) -> None:
    async with served.client.get(served.url + path, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"].split("?")[0]) == (303, "/sign-in")
    assert (await served.get("/now/stream"))[0] == 401


@pytest.mark.parametrize(
    ("to", "place"),
    [("/users?q=a", "/users?q=a"), ("//evil.example/", "/"), ("https://evil.example", "/"),
     ("/\\evil.example", "/"), ("", "/")],
)  # fmt: skip
async def test_signing_in_leads_on_to_a_page_of_ours_alone(
    served: Served, to: str, place: str
) -> None:
    form = {"key": KEY, "to": to}
    async with served.client.post(
        served.url + "/sign-in", data=form, allow_redirects=False
    ) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, place)


async def test_a_wrong_key_is_told_so(served: Served) -> None:
    status, text = await post(served, "/sign-in", {"key": "wrong"})
    assert status == 401
    assert "That is not the admin key." in text


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=b",
     "application/x-www-form-urlencoded; charset=none"],
)  # fmt: skip
@pytest.mark.parametrize("body", [b"", b"key=\xff", b"nothing", b"a=1&" * 201])
async def test_what_is_no_form_is_refused(served: Served, content_type: str, body: bytes) -> None:
    headers = {"Content-Type": content_type}
    url = served.url + "/sign-in"
    async with served.client.post(url, data=body, headers=headers) as answer:
        assert answer.status in {400, 401}


async def test_a_form_of_elsewhere_does_nothing(served: Served) -> None:
    await served.sign_in()
    _, page = await served.get("/users/ada/erase")
    found = MARK.search(page)
    assert found
    good = {"mark": found[1], "id": "ada"}

    assert (await post(served, "/users/ada/erase", {"id": "ada"}))[0] == 403
    assert (await post(served, "/users/ada/erase", {**good, "mark": "0" * 64}))[0] == 403
    for headers in ({"Origin": "http://127.0.0.1:1"}, {"Sec-Fetch-Site": "same-site"}):
        assert (await post(served, "/users/ada/erase", good, headers=headers))[0] == 403
    assert "ada" in served.app.processor

    assert (await post(served, "/users/ada/erase", good))[0] == 303
    assert "ada" not in served.app.processor


BY_A_PROXY = {
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Host": "ops.example:8443",
    "X-Forwarded-Proto": "https",
}


@pytest.mark.parametrize("listed", [True, False])
async def test_behind_tls_a_form_is_ones_own_by_the_name_that_browsers_know(
    tmp_path: Path, listed: bool
) -> None:
    async with serve(tmp_path, proxies=("127.0.0.1",) if listed else ()) as served:
        form, none = {"key": KEY, "to": "/"}, aiohttp.DummyCookieJar()
        async with (
            aiohttp.ClientSession(headers=BY_A_PROXY, cookie_jar=none) as client,
            client.post(served.url + "/sign-in", data=form, allow_redirects=False) as answer,
        ):
            cookie, *said = answer.headers["Set-Cookie"].split("; ")
            assert ("Secure" in said) == listed
            client.headers["Cookie"] = cookie
            async with client.get(served.url + "/users") as page:
                found = MARK.search(await page.text())
            assert found
            asked = {"mark": found[1]}
            origins = (served.url, "http://ops.example:8443", "https://ops.example:8443")
            statuses = []
            for origin in ("https://ops.example", *origins):
                async with client.post(
                    served.url + "/sign-out",
                    data=asked,
                    headers={"Origin": origin},
                    allow_redirects=False,
                ) as done:
                    statuses.append(done.status)
    assert statuses == ([403, 403, 403, 303] if listed else [403, 303, 403, 403])


async def test_a_link_cannot_have_a_page_say_anything(served: Served) -> None:
    await served.sign_in()
    _, page = await served.get("/users?said=Send+money&by=" + "0" * 64)
    assert "Send money" not in page


async def test_signing_out_ends_the_session_in_this_browser(served: Served) -> None:
    await served.sign_in()
    _, page = await served.get("/users")
    found = MARK.search(page)
    assert found
    assert (await post(served, "/sign-out", {"mark": found[1]}))[0] == 303
    async with served.client.get(served.url + "/users", allow_redirects=False) as answer:
        assert answer.status == 303


async def test_pages_load_nothing_from_elsewhere_and_nobody_frames_them(served: Served) -> None:
    await served.sign_in()
    async with served.client.get(served.url + "/") as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"
        text = await answer.text()
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert " style=" not in text
    assert " onclick=" not in text
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
