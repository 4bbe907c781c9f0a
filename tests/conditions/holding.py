"""Who stands still after a downtime: the oracle's half, found by asking at each instant.

Whatever was due in the downtime waits until the grace is over. By then it is gone through, instant
by instant, from where something was due first; what was asked later already is not asked again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.conditions.trees import View, holds

if TYPE_CHECKING:
    from tests.conditions.oracle import Oracle

    Dict = dict[str, Any]


def settle(oracle: Oracle, user: Dict, upto: int) -> bool:
    """Go on, up to an instant, with all of whom nothing is due; whether anything is.

    A condition that has risen is to be asked from that instant on, and so is an enrollment.
    """
    user["risen"] = set()
    for campaign in oracle.campaigns:
        _settle_edge(oracle, user, campaign, upto)
    for live in user["live"]:
        live["waits"] = False
        for at in range(max(live["asked"], live["start"]), upto + 1):
            live["asked"] = at
            if oracle.is_due(live, _at(oracle, user, at)):
                live["waits"] = True
                break
    session = user["session"]
    ends = session is not None and not session["ended"] and due(session) <= upto
    return ends or bool(user["risen"]) or any(live["waits"] for live in user["live"])


def _settle_edge(oracle: Oracle, user: Dict, campaign: Dict, upto: int) -> None:
    key, tree = campaign["id"], oracle.edge(campaign)
    if tree is None:
        return
    for at in range(user["asked"].get(key, upto), upto + 1):
        user["asked"][key] = at
        after = holds(tree, _at(oracle, user, at))
        if after and not user["before"][key]:
            user["risen"].add(key)
            break
        user["before"][key] = after


def due(session: Dict) -> int:
    """When a session's end is due: not before it was known."""
    return int(max(session["ends"], session["known"]))


def oldest(user: Dict, now: int) -> int:
    """The first instant at which something may have been due."""
    asked = [*user["asked"].values(), *(live["asked"] or now for live in user["live"])]
    session = user["session"]
    ends = [due(session)] if session is not None and not session["ended"] else []
    return min([*asked, *ends, now])


def _at(oracle: Oracle, user: Dict, at: int) -> View:
    return View(**{**vars(oracle.view(user)), "now": at})
