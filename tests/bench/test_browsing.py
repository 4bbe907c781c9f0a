"""What is measured of the browser SDK is its own work on a page that really says its events."""

from __future__ import annotations

import pytest

from bench.browsing import trace
from tests.clients import chromium


@pytest.mark.timeout(120)
@pytest.mark.parametrize("is_online", [True, False])
def test_the_sdks_own_work_is_found_in_the_trace(*, is_online: bool) -> None:
    if reason := chromium.why_not():
        pytest.skip(reason)
    with chromium.chromium() as browser:
        longest = trace(browser.new_page(), is_online=is_online, events=20)
    assert longest.calls > 1  # the file as it loads, and what it does from then on
    assert 0 < longest.us < longest.total_us
