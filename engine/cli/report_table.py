"""How a campaign does, as lines at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from engine.cli.summary import laid_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    Told = dict[str, Any]

NOTHING: Final = "-"

_STEP: Final = (
    "step",
    "kind",
    "reached",
    "waiting",
    "sent",
    "skipped",
    "opened",
    "clicked",
    "goals",
)
_CHANNEL: Final = (
    "channel", "sent", "delivered", "failed", "opened", "clicked", "goals", "value", "cost", "roi",
)  # fmt: skip
_VARIANT: Final = (
    "variant", "entered", "goals", "goal rate", "over the first", "best", "value each",
)  # fmt: skip


def lines_of(told: Told) -> Iterator[str]:
    """All of it, a block each."""
    yield f"{told['id']}, {told['status']}, as of {told['at']}"
    if told["description"]:
        yield told["description"]
    yield ""
    yield from _summed_up(told)
    yield ""
    yield from laid_out(_STEP, [_step(step) for step in told["steps"]], None)
    if told["channels"]:
        yield ""
        rows = [_channel(one) for one in told["channels"]]
        yield from laid_out(_CHANNEL, rows, None)
    for experiment in told["experiments"]:
        yield ""
        yield f"split {experiment['split']}: {experiment['verdict']}"
        yield from laid_out(_VARIANT, [_variant(one) for one in experiment["variants"]], None)
    if told["factorial"]:
        yield ""
        for one in told["factorial"]["effects"]:
            yield f"{effect_of(one)}: {points(one['effect'])} points"
    if told["holdout"]:
        yield ""
        yield from _holdout(told["holdout"], told["currency"])


def _summed_up(told: Told) -> Iterator[str]:
    yield (
        f"entered {whole(told['entered'])} ({whole(told['held_out'])} held out), "
        f"active {whole(told['active'])}, finished {whole(told['finished'])}, "
        f"left early {whole(sum(told['exited'].values()))}, "
        f"refused {whole(sum(told['refused'].values()))}"
    )
    yield (
        f"goal reached by {whole(told['converted'])}: {share(told['goal_rate'])}; "
        f"worth {money(told['goal_value'], told['currency'])}, "
        f"cost {money(told['cost'], told['currency'])}"
    )
    credited = told["attributed"]
    if credited["goals"]:
        yield (
            f"put down to a message: {whole(credited['goals'])}, "
            f"{whole(credited['goals_clicked'])} of them after a click; "
            f"worth {money(credited['goal_value'], told['currency'])}"
        )
    skipped = ", ".join(f"{reason} {whole(n)}" for reason, n in sorted(told["skipped"].items()))
    if skipped:
        yield f"skipped: {skipped}"
    for kind, taken in told["response"].items():
        if taken:
            half, most = duration(taken["p50_ms"]), duration(taken["p90_ms"])
            yield f"{kind}: half within {half}, nine of ten within {most}"
    late = told["lateness"]
    if late["count"]:
        yield f"late by {duration(late['p50_ms'])}, p99 {duration(late['p99_ms'])}"


def _holdout(holdout: Told, currency: str) -> Iterator[str]:
    yield f"holdout: {holdout['verdict']}"
    yield (
        f"treated {share(holdout['treated']['rate'])}, "
        f"held out {share(holdout['held_out']['rate'])}, "
        f"lift {points(holdout['lift'])} points"
    )
    value = holdout["value_more"]
    if value:
        low, high = money(value["low"], currency), money(value["high"], currency)
        yield f"worth {money(value['estimate'], currency)} more ({low} to {high})"


def _step(step: Told) -> list[str]:
    is_send = step["kind"] == "send"
    return [
        step["id"],
        step["kind"],
        whole(step["reached"]),
        whole(step["waiting"]),
        whole(step["sent"]) if is_send else NOTHING,
        whole(sum(step["skipped"].values())) if is_send else NOTHING,
        whole(step["opened"]) if is_send else NOTHING,
        whole(step["clicked"]) if is_send else NOTHING,
        whole(step["goals"]) if is_send else NOTHING,
    ]


def _channel(one: Told) -> list[str]:
    counts = ("sent", "delivered", "failed", "opened", "clicked", "goals")
    return [
        one["channel"],
        *[whole(one[name]) for name in counts],
        f"{one['goal_value']:,.2f}",
        f"{one['cost']:,.2f}",
        NOTHING if one["roi"] is None else f"{one['roi']:,.1f}",
    ]


def _variant(one: Told) -> list[str]:
    return [
        one["variant"],
        whole(one["entered"]),
        whole(one["goals"]),
        share(one["rate"]),
        NOTHING if one["lift"] is None else points(one["lift"]),
        chance(one["best"]),
        f"{one['value_each']:,.2f}",
    ]


def effect_of(one: Told) -> str:
    """What an effect is of: a variant, or two together."""
    return " with ".join(f"{split}={variant}" for split, variant in one["variants"].items())


def share(interval: Told) -> str:
    """A rate with its interval: `4.1 % (3.2 to 5.2)`."""
    return f"{interval['estimate']:.1%} ({_ends(interval)})".replace("%", " %")


def points(interval: Told) -> str:
    """A difference of rates in points of a hundred, with its sign."""
    return f"{interval['estimate'] * 100:+.1f} ({_ends(interval)})"


def _ends(interval: Told) -> str:
    if interval["low"] is None:
        return "nothing known"
    return f"{interval['low'] * 100:.1f} to {interval['high'] * 100:.1f}"


def chance(probability: float) -> str:
    """A probability in per cent, which is never told as certain."""
    if probability > 0.995:  # noqa: PLR2004 - what would be rounded to 100
        return ">99%"
    return "<1%" if probability < 0.005 else f"{probability:.0%}"  # noqa: PLR2004 - as above


def whole(count: float) -> str:
    """A count, with separators."""
    return f"{count:,.0f}"


def money(amount: float, currency: str) -> str:
    """An amount, with its currency."""
    return f"{amount:,.2f} {currency}"


def duration(took_ms: float) -> str:
    """A time in the largest unit that leaves a whole number or more: `1.5h`."""
    for unit, unit_ms in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)):
        if took_ms >= unit_ms:
            return f"{took_ms / unit_ms:.1f}{unit}"
    return f"{took_ms:.0f}ms"
