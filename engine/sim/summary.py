"""What came of a run, counted by campaign."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from engine.sim.funnel import Funnel, StepCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from engine.core.effects import CountTime, Record
    from engine.core.plan import Plan
    from engine.core.state import User


class VariantSummary(msgspec.Struct):
    """What came of one variant, or of those who were held out.

    Attributes:
        exposed: How often an enrollment went by a split to it; held out, how many entered.
        goals: Enrollments that reached their goal.
        goal_value: What those were worth together.
    """

    exposed: int = 0
    goals: int = 0
    goal_value: float = 0.0


class CampaignSummary(msgspec.Struct):
    """One campaign's counts.

    Attributes:
        campaign: Its id.
        entered: Enrollments.
        sent: Messages that passed the guardrails, by channel.
        failed: Messages that their channel did not take, by channel.
        skipped: Messages that were not sent, by reason.
        skipped_unspoken: Those of them that were skipped for want of a consent of which the user
            said nothing either way (`consent.unknown = "deny"`).
        deferred: How often a message was put off to the end of quiet hours; what became of it then
            is counted besides.
        exited: Enrollments that left before their end, by reason.
        finished: Enrollments that came to their end.
        refused: Entries not granted, by reason.
        goals: Enrollments that reached their goal, held out or not.
        goal_value: What those were worth together.
        variants: By variant, of those who were not held out; in a campaign of several splits by
            `SPLIT=VARIANT`, and a goal counts for each that its enrollment had gone by.
        held_out: Of those who were; None where nobody was.
        steps: What came of each of its steps.
    """

    campaign: str
    entered: int = 0
    sent: dict[str, int] = {}
    failed: dict[str, int] = {}
    skipped: dict[str, int] = {}
    skipped_unspoken: int = 0
    deferred: int = 0
    exited: dict[str, int] = {}
    finished: int = 0
    refused: dict[str, int] = {}
    goals: int = 0
    goal_value: float = 0.0
    variants: dict[str, VariantSummary] = {}
    held_out: VariantSummary | None = None
    steps: list[StepCounts] = []

    @property
    def messages(self) -> int:
        """How many messages came up, sent or skipped."""
        return sum(self.sent.values()) + sum(self.skipped.values())


class Tally:
    """Counts records as they come.

    Args:
        plan: The plan whose campaigns and steps are told.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._funnel = Funnel(plan)
        self._counts: Counter[tuple[str, str, str, str]] = Counter()
        self._unspoken: Counter[str] = Counter()
        self._tried: dict[tuple[str, str, bool], VariantSummary] = {}
        self._goals: dict[str, VariantSummary] = {}

    def add(
        self,
        records: Iterable[Record],
        find: Callable[[str], User | None],
        times: Sequence[tuple[int, CountTime]] = (),
    ) -> None:
        """Count records, while users are still as they were judged. O(records).

        `times` are those of repeats that began among them (`Released.times`).
        """
        records = list(records)
        self._funnel.add(records, times)
        counts = self._counts
        for record in records:
            kind = record.kind
            # Why a provider failed may be said in any number of ways.
            reason = record.reason if kind != "failed" else ""
            counts[record.campaign, kind, record.channel, reason] += 1
            if record.variant or reason == "holdout" or kind == "goal":
                self._try(record)
            if reason == "no_consent":
                user = find(record.user_id)
                consent = None if user is None else user.traits.get("consent")
                if not isinstance(consent, dict) or consent.get(record.channel) is None:
                    self._unspoken[record.campaign] += 1

    def summaries(self, users: Iterable[User]) -> list[CampaignSummary]:
        """One for each campaign of the plan, in order of rank; once, at the end.

        `users` are those who may still be under way. O(users + campaigns + counted kinds).
        """
        self._funnel.close(users)
        told = {
            campaign_id: CampaignSummary(campaign_id, steps=self._funnel.steps(campaign_id))
            for campaign_id in self._plan.campaigns
        }
        for (campaign_id, kind, channel, reason), count in sorted(self._counts.items()):
            # A journal may tell of one that its last plan does not have.
            summary = told.setdefault(campaign_id, CampaignSummary(campaign_id))
            _count(summary, kind, channel, reason, count)
        for campaign_id, count in self._unspoken.items():
            told[campaign_id].skipped_unspoken = count
        for (campaign_id, variant, held_out), tried in self._tried.items():
            summary = told[campaign_id]
            if held_out:
                summary.held_out = tried
            elif variant:
                summary.variants[variant] = tried
        for campaign_id, reached in self._goals.items():
            told[campaign_id].goals = reached.goals
            told[campaign_id].goal_value = reached.goal_value
        return list(told.values())

    def _try(self, record: Record) -> None:
        """Count exposures and goals, those of the held out apart, whatever their variant."""
        kind, held_out = record.kind, record.reason == "holdout"
        if kind == "goal":
            _note(self._goals.setdefault(record.campaign, VariantSummary()), record)
        elif not (kind == "entered" if held_out else kind == "branched" and not record.branch):
            return
        for variant in ("",) if held_out else _shown_by(record):
            key = (record.campaign, variant, held_out)
            _note(self._tried.setdefault(key, VariantSummary()), record)


def _shown_by(record: Record) -> list[str]:
    """The variants that an exposure, or a goal, counts for, as `CampaignSummary.variants` has it.

    An exposure is to the variant of the split that was gone by just now, which is the last.
    """
    if not record.variants:
        return [record.variant]
    named = [f"{split}={variant}" for split, variant in record.variants]
    return named if record.kind == "goal" else named[-1:]


def _note(tried: VariantSummary, record: Record) -> None:
    is_goal = record.kind == "goal"
    tried.exposed += not is_goal
    tried.goals += is_goal
    tried.goal_value += record.value or 0.0


def _count(summary: CampaignSummary, kind: str, channel: str, reason: str, count: int) -> None:
    match kind:
        case "entered":
            summary.entered += count
        case "finished":
            summary.finished += count
        case "deferred":
            summary.deferred += count
        case "sent":
            _add(summary.sent, channel, count)
        case "failed":
            _add(summary.failed, channel, count)
        case "skipped":
            _add(summary.skipped, reason, count)
        case "exited":
            _add(summary.exited, reason, count)
        case "refused":
            _add(summary.refused, reason, count)
        case _:
            pass  # delivered and branched say how, not how many came of it


def _add(counts: dict[str, int], key: str, count: int) -> None:
    counts[key] = counts.get(key, 0) + count
