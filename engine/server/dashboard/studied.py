"""A long look at the past as part of a page: how far it has come, then what came of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from engine.server.answers import RETRY_AFTER_S, Refusal, in_one_line
from engine.server.dashboard import charts, words
from engine.server.dashboard.frame import look_again
from engine.server.dashboard.markup import Content, Html, tag
from engine.server.dashboard.now import of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.runtime.admin.studies import Study
    from engine.runtime.errands import Errand
    from engine.server.admin.operating import House

_AGAIN_S = 1


def looked(house: House, key: str, errand: Errand, said: Mapping[str, str] | None = None) -> Study:
    """The study that an errand is, begun if need be. Raises Refusal where too many wait."""
    studies = of(house).studies
    if studies.find(key) is None and studies.beside.is_full:
        message = "others have asked for long work, too; load this page again when some is done"
        raise Refusal(503, "busy", message, headers={"Retry-After": str(RETRY_AFTER_S)})
    return studies.look(key, partial(studies.beside.do, errand), said)


def parts(*shown: tuple[Study | None, Callable[[Any], Content]]) -> Html:
    """What there is to see of studies; the page looks again by itself until all are over."""
    told = [_part(study, show) for study, show in shown if study is not None]
    wait = any(study is not None and not study.is_over for study, _ in shown)
    return tag("div", told, id="found", data_again=_AGAIN_S if wait else None)


def _part(study: Study, show: Callable[[Any], Content]) -> Content:
    if study.failure is not None:
        return tag("p", words.sentence(in_one_line(study.failure)), class_="alert", role="alert")
    if study.result is not None:
        return show(msgspec.json.decode(study.result))
    share = min(study.done / max(study.total, 1), 1.0)
    so_far = f": {words.share(share, 1)} so far" if share else ""
    text = tag("p", f"This takes a moment{so_far}.", role="status")
    return tag("div", text, charts.meter(share, 1), look_again(), class_="card")


def spanned(told: dict[str, Any]) -> Html:
    """Of which time a result tells."""
    whole = told["from_at"] <= "1970-01-02"
    since: Content = "the beginning" if whole else words.instant_said(told["from_at"])
    return tag("p", "From ", since, " to ", words.instant_said(told["until"]), " UTC.",
               class_="soft")  # fmt: skip
