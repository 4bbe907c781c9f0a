"""What people do on a page without saying so, in a real browser, starts campaigns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.sdk.conftest import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.acceptance.sdk.conftest import Visit

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]


def dwell(page: Page) -> None:
    for _ in range(3):
        page.mouse.move(50, 60)
        page.clock.run_for(14_000)
        page.mouse.move(60, 50)


def scroll(page: Page) -> None:
    page.mouse.move(200, 200)
    page.mouse.wheel(0, 3_200)
    page.wait_for_function("() => scrollY > 3000")
    page.clock.run_for(1_000)


def leave_by_the_top(page: Page) -> None:
    page.mouse.move(200, 200)
    page.mouse.move(200, -5)


def flick_up(page: Page) -> None:
    page.evaluate("scrollTo(0, 3000)")
    page.wait_for_function("() => scrollY === 3000")
    page.clock.run_for(1_000)
    page.evaluate("""() => new Promise((done) => {
      dispatchEvent(new Event("touchend"))
      scrollTo(0, 2900)
      requestAnimationFrame(() => requestAnimationFrame(() => {
        scrollTo(0, 0)
        requestAnimationFrame(() => requestAnimationFrame(done))
      }))
    })""")


def type_and_go(page: Page) -> None:
    page.locator("[name=email]").fill("ada@example.com")
    page.locator("[name=card]").fill("4111 1111 1111 1111")


def click_on_what_is_dead(page: Page) -> None:
    page.locator("#stuck").click(click_count=3)


def fail_three_times(page: Page) -> None:
    page.evaluate("""() => Promise.all([1, 2, 3].map(() => new Promise((done) => {
      addEventListener("error", done, {once: true})
      setTimeout(() => { throw new Error("no price") })
    })))""")


def click_on_what_is_marked(page: Page) -> None:
    page.locator("#basket").click()


DONE: dict[str, Callable[[Page], None]] = {
    "dwell": dwell,
    "scroll": scroll,
    "exit": leave_by_the_top,
    "swipe": flick_up,
    "form": type_and_go,
    "rage": click_on_what_is_dead,
    "error": fail_three_times,
    "click": click_on_what_is_marked,
}


def told(events: list[tuple[str, dict[str, Any]]], name: str) -> list[dict[str, Any]]:
    return [said for event, said in events if event == name]


@pytest.mark.parametrize("name", DONE)
def test_a_signal_starts_a_campaign(visit: Visit, name: str) -> None:
    if name in {"dwell", "scroll"}:
        visit.page.clock.install()
    DONE[name](visit.open())
    events = visit.leave()
    visit.wait_for_mail(f"after {name}")
    said = told(events, SIGNALS[name][0])
    assert said
    if name != "click":
        assert {one["path"] for one in said} == {"/fern"}


def test_of_forms_the_names_of_fields_are_told_and_no_value(visit: Visit) -> None:
    type_and_go(visit.open())
    (said,) = told(visit.leave(), "Form Abandoned")
    assert said["fields"] == ["email", "card"]
    assert said["last_field"] == "card"
    assert "4111" not in str(visit.events())


def test_a_form_that_was_sent_or_is_left_out_is_not_abandoned(visit: Visit) -> None:
    page = visit.open()
    page.evaluate("checkout.onsubmit = () => false")
    page.locator("[name=email]").fill("ada@example.com")
    page.locator("#checkout button").click()
    form = "<form data-hs-ignore><input id=q></form>"
    page.evaluate(f"document.body.insertAdjacentHTML('beforeend', '{form}')")
    page.locator("#q").fill("fern")
    assert told(visit.leave(), "Form Abandoned") == []


def test_time_in_which_nobody_is_there_is_no_dwell(visit: Visit) -> None:
    visit.page.clock.install()
    page = visit.open()
    page.mouse.move(50, 60)
    page.clock.run_for(600_000)
    page.mouse.move(60, 50)
    page.clock.run_for(5_000)
    (said,) = told(visit.leave(), "Page Dwelled")
    assert said["seconds"] == said["total_seconds"]
    assert 35 <= said["seconds"] <= 37


def test_marks_of_dwell_are_told_while_the_page_is_open(visit: Visit) -> None:
    visit.page.clock.install()
    page = visit.open(dwell="10 20")
    page.clock.run_for(25_000)
    said = told(visit.leave(), "Page Dwelled")
    assert [one["total_seconds"] // 5 for one in said] == [2, 4, 5]
    assert sum(one["seconds"] for one in said) == said[-1]["total_seconds"]


def test_whoever_selects_a_paragraph_types_or_uses_keys_is_not_in_a_rage(visit: Visit) -> None:
    page = visit.open()
    page.locator("#dead").click(click_count=3)
    page.locator("[name=email]").click(click_count=5)
    page.evaluate("() => [1, 2, 3, 4].forEach(() => stuck.click())")
    assert told(visit.leave(), "Rage Clicked") == []


def test_a_fourth_click_on_a_paragraph_is_rage(visit: Visit) -> None:
    visit.open().locator("#dead").click(click_count=4)
    (said,) = told(visit.leave(), "Rage Clicked")
    assert (said["element"], said["clicks"]) == ("#dead", 4)


def test_a_signal_that_is_off_is_not_told(visit: Visit) -> None:
    page = visit.open(off="pages clicks rage dwell")
    click_on_what_is_dead(page)
    click_on_what_is_marked(page)
    assert [event for event, _ in visit.leave()] == ["Left"]


def test_what_is_marked_says_numbers_as_numbers_and_ids_as_texts(visit: Visit) -> None:
    click_on_what_is_marked(visit.open())
    (said,) = told(visit.leave(), "Size Chart Opened")
    assert said == {"price": 19.5, "product_id": "7"}
