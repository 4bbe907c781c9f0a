"""Whether what was sent kept to guardrails and plans, held against clocks and records alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.inputs import LetterRevived, PlanChanged

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from engine.core.effects import Record, SendMessage
    from engine.core.inputs import Input
    from engine.core.messages.caps import Cap
    from engine.core.plan import Plan
    from engine.core.state import User
    from engine.sim.world.kin import Kin

AHEAD_MINUTES: Final = {None: 0, "+00:01": 1, "Nowhere": 0}
"""Time zones that users of a world say they live in, and by how much their clocks go ahead."""

HAND_OVER_MS: Final = 10
"""Between a message's last question and its hand-over, at the most."""

_ABOUT_MS: Final = 1_000
"""What was judged so near to a change of the plan may have been asked by either."""


def shows_quiet(plan: Plan, user: User, at_ms: int) -> bool:
    """Whether it is quiet by a user's clock, and was as the message was asked for."""
    ahead = AHEAD_MINUTES[user.traits.get("timezone")]
    return all(is_quiet(plan, ahead, at) for at in (at_ms - HAND_OVER_MS, at_ms))


def is_quiet(plan: Plan, ahead_minutes: int, at_ms: int) -> bool:
    """Whether it is quiet by a clock that goes so far ahead of the shop's."""
    quiet = plan.policy.quiet_hours
    minute = (at_ms // 60_000 + ahead_minutes) % 1_440
    return quiet is not None and quiet.from_minute <= minute < quiet.to_minute


def may_repeat(plans: Iterable[Plan], sent: SendMessage, iteration: int, since_ms: int) -> bool:
    """Whether a step may be sent in this iteration, so long after its enrollment's start.

    The first time always. Later ones only where one of the plans has the step within a repeat of
    that many times whose pauses fit in; no step of a world is within two.
    """
    if not iteration:
        return True
    campaigns = [plan.campaigns[sent.campaign] for plan in plans if sent.campaign in plan.campaigns]
    return any(
        iteration < repeat.times
        and iteration * repeat.every_ms <= since_ms
        and any(step.id == sent.step for step in campaign.steps[start : repeat.end])
        for campaign in campaigns
        for start, repeat in campaign.repeats
    )


def over_a_cap(
    records: Iterable[Record],
    judged: Mapping[str, SendMessage],
    journal: Iterable[Input],
    plans: Mapping[str, Plan],
) -> str:
    """A message that was more than a cap of its time allows; "" where there is none.

    Only those count that did not give their place back, and were handed over: of these it is known
    to the millisecond when they were `judged`. `records` are in order.
    """
    changes = [
        (happened.at_ms, plans[happened.plan_id])
        for happened in journal
        if isinstance(happened, PlanChanged)
    ]
    records = list(records)
    gone = {one.message for one in records if one.message and one.kind in {"failed", "skipped"}}
    sent: dict[str, list[tuple[int, str]]] = {}
    for one in records:
        if one.kind != "sent" or one.message in gone or one.message not in judged:
            continue
        at_ms, before = judged[one.message].at_ms, sent.setdefault(one.user_id, [])
        told = _over(one, at_ms, before, _in_force(changes, at_ms))
        if told:
            return told
        before.append((at_ms, one.channel))
    return ""


def _in_force(changes: list[tuple[int, Plan]], at_ms: int) -> Plan | None:
    """The plan of an instant; None where it changed about then."""
    plan: Plan | None = None
    for changed_at_ms, other in changes:
        if abs(changed_at_ms - at_ms) <= _ABOUT_MS:
            return None
        if changed_at_ms < at_ms:
            plan = other
    return plan


def _over(one: Record, at_ms: int, before: list[tuple[int, str]], plan: Plan | None) -> str:
    campaign = plan.campaigns.get(one.campaign) if plan is not None else None
    if plan is None or campaign is None or not campaign.is_marketing:
        return ""
    for cap in plan.policy.caps:
        if cap.channel not in {"", one.channel}:
            continue
        since_ms = at_ms - cap.per_ms
        counted = [by for at, by in before if at > since_ms and cap.channel in {"", by}]
        if len(counted) >= cap.most:
            return f"{one.message} of {one.user_id} at {at_ms}, behind {len(counted)}: {cap}"
    return ""


def capped_for_nothing(
    records: Sequence[Record],
    journal: Iterable[Input],
    plans: Iterable[Plan],
    kin: Kin,
    slack_ms: int,
) -> str:
    """A message that was held back by a cap that had room in every plan; "" where there is none.

    All that was ever sent to any id of the user counts: what gave its place back may have had it.
    So does what was revived.
    """
    caps = {cap for plan in plans for cap in plan.policy.caps}
    sent: dict[str, list[tuple[int, str]]] = {}
    channels = {one.message: one.channel for one in records if one.kind == "sent"}
    for one in journal:
        if isinstance(one, LetterRevived):
            place = one.at_ms, channels.get(one.effect_id, "")
            sent.setdefault(kin.family(one.user_id), []).append(place)
    for record in records:
        at_ms, family = max(record.at_ms, record.judged_at_ms), kin.family(record.user_id)
        before = sent.setdefault(family, [])
        if record.kind == "sent":
            before.append((at_ms, record.channel))
        elif (
            record.kind == "skipped"
            and record.reason == "capped"
            and not _some_is_full(caps, before, record.channel, at_ms, slack_ms)
        ):
            return f"{record.step} of {record.enrollment} at {at_ms}, behind {before}"
    return ""


def _some_is_full(
    caps: Iterable[Cap], before: list[tuple[int, str]], channel: str, at_ms: int, slack_ms: int
) -> bool:
    return any(
        len([by for at, by in before if at > at_ms - cap.per_ms - slack_ms
             and cap.channel in {"", by}]) >= cap.most
        for cap in caps
        if cap.channel in {"", channel}
    )  # fmt: skip
