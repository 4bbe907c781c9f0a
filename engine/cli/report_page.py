"""How a campaign does, as one HTML file: no script, nothing from anywhere else, light and dark."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

from engine.cli.report_charts import bars, intervals, share_bar
from engine.cli.report_table import (
    NOTHING,
    chance,
    duration,
    effect_of,
    money,
    points,
    share,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Told = dict[str, Any]

_STYLE: Final = """
:root{color-scheme:light dark;--ground:#f4f5f7;--card:#fff;--ink:#1a1d23;--soft:#555c68;
--line:#d5d9e0;--act:#1f4fd8;--faint:#dfe6f8;--good:#0b6b3a;--good-ground:#e5f5ec}
@media(prefers-color-scheme:dark){:root{--ground:#14161a;--card:#1e2127;--ink:#eceef2;
--soft:#a9b0bd;--line:#3a3f4a;--act:#8fb0ff;--faint:#2b3450;--good:#7fdcaa;--good-ground:#12301f}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);
font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;overflow-wrap:anywhere}
main{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{margin:0;font-size:1.75rem;line-height:1.25}
h2{margin:0 0 .75rem;font-size:1.125rem}
h3{margin:1.25rem 0 .25rem;font-size:.9375rem;color:var(--soft);font-weight:600}
p{margin:.25rem 0 .75rem}
.soft{color:var(--soft)}
.card{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1.25rem;
margin-top:1rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.25rem,1fr));gap:.75rem;
margin:1.25rem 0 0;padding:0}
.tiles div{background:var(--card);border:1px solid var(--line);border-radius:.75rem;
padding:.75rem 1rem}
dt{color:var(--soft);font-size:.875rem}
dd{margin:0;font-size:1.25rem;font-weight:600;line-height:1.3}
dd small{display:block;font-size:.8125rem;font-weight:400;color:var(--soft)}
.verdict{margin:0 0 1rem;padding:.75rem 1rem;border-radius:.5rem;background:var(--faint);
font-weight:600}
.decided{background:var(--good-ground);color:var(--good)}
.wide{overflow-x:auto}
.wide:focus-visible{outline:3px solid var(--act);outline-offset:2px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.9375rem}
caption{text-align:left;color:var(--soft);padding-bottom:.25rem;font-size:.875rem}
th,td{padding:.4rem .6rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left;padding-left:0}
th{font-weight:600;color:var(--soft);font-size:.8125rem}
tr:last-child td,tr:last-child th{border-bottom:0}
tbody th{color:var(--ink);font-size:.9375rem}
tbody th small{color:var(--soft);font-weight:400}
svg{display:block;width:100%;height:auto;fill:var(--act)}
.intervals{min-width:32rem;margin-bottom:.5rem}
.ends{display:flex;justify-content:space-between;gap:1rem;color:var(--soft);font-size:.8125rem}
svg text{fill:var(--soft);font-size:13px}
svg .said{fill:var(--ink)}
svg line{stroke:var(--line);stroke-width:1}
svg .span{stroke:var(--act);stroke-width:4;stroke-linecap:round;opacity:.45}
svg .unknown{stroke:var(--soft);stroke-width:2;stroke-dasharray:3 5}
svg .zero{stroke:var(--soft);stroke-dasharray:2 3}
svg .ground{fill:var(--faint)}
.share{width:5rem;height:.5rem;display:inline-block;margin-left:.5rem;border-radius:.25rem}
@media print{body{background:#fff}.card,.tiles div{break-inside:avoid}}
"""

_STEPS: Final = (
    "step", "reached", "waiting", "sent", "skipped", "opened", "clicked", "goals", "value", "cost",
)  # fmt: skip
_CHANNELS: Final = (
    "channel", "sent", "delivered", "failed", "opened", "clicked", "goals", "value", "cost", "ROI",
)  # fmt: skip
_VARIANTS: Final = (
    "variant", "share", "entered", "goals", "goal rate", "best", "value each", "cost", "ROI",
)  # fmt: skip
_TREND: Final = (("entered", "Entered"), ("sent", "Sent"), ("converted", "Reached the goal"))


def page_of(told: Told) -> str:
    """The page. O(what is told)."""
    title = escape(told["id"])
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}: how it does</title><style>{_STYLE}</style></head><body><main>"
        f"{''.join(_parts(told))}</main></body></html>\n"
    )


def _parts(told: Told) -> Iterator[str]:
    yield f"<h1>{escape(told['id'])}</h1>"
    if told["description"]:
        yield f"<p>{escape(told['description'])}</p>"
    yield f'<p class="soft">{escape(told["status"])}, {escape(told["purpose"])}; as of '
    yield f"{_instant(told['at'])}</p>"
    yield _tiles(told)
    if told["holdout"]:
        yield _card("What it brings", _holdout(told["holdout"], told["currency"]))
    for one in told["experiments"]:
        name = f"Split {one['split']}" + (" (bandit)" if one["mode"] == "bandit" else "")
        yield _card(name, _experiment(one))
    if told["factorial"]:
        rows = [
            (effect_of(one), one["effect"], points(one["effect"]))
            for one in told["factorial"]["effects"]
        ]
        chart = intervals("Effects on the goal rate, in points", rows, zero=True)
        said = "Each variant by itself, averaged over the other splits; then two together, beyond"
        yield _card("Splits together", f'<p class="soft">{said} what each does alone.</p>{chart}')
    yield _card("Steps", _steps(told))
    if told["channels"]:
        cells = [_row(one["channel"], one, _CHANNELS) for one in told["channels"]]
        yield _card("Channels", _table("Messages by channel", _CHANNELS, cells))
    yield _card(f"The last {len(told['trend'])} hours", _trend(told["trend"]))
    yield _card("Left out", _reasons(told))


def _card(title: str, inner: str) -> str:
    return f'<section class="card"><h2>{escape(title)}</h2>{inner}</section>'


def _tiles(told: Told) -> str:
    rate = told["goal_rate"]
    spent, credited = told["cost"], told["attributed"]
    tiles = [
        ("Entered", whole(told["entered"]), f"{whole(told['active'])} in it now"),
        ("Sent", whole(told["sent"]), f"{whole(told['delivered'])} delivered"),
        ("Opened", whole(told["opened"]), _when(told["response"]["opened"])),
        ("Clicked", whole(told["clicked"]), _when(told["response"]["clicked"])),
        ("Reached the goal", whole(told["converted"]), share(rate)),
        (
            "After a message",
            whole(credited["goals"]),
            f"{whole(credited['goals_clicked'])} by click",
        ),
        (
            "Worth",
            f"{told['goal_value']:,.0f} {told['currency']}",
            f"cost {money(spent, told['currency'])}" if spent else "",
        ),
    ]
    inner = "".join(
        f"<div><dt>{name}</dt><dd>{escape(said)}<small>{escape(more)}</small></dd></div>"
        for name, said, more in tiles
    )
    return f'<dl class="tiles">{inner}</dl>'


def _when(taken: Told | None) -> str:
    return f"half within {duration(taken['p50_ms'])}" if taken else ""


def _holdout(holdout: Told, currency: str) -> str:
    rows = [
        ("treated", holdout["treated"]["rate"], share(holdout["treated"]["rate"])),
        ("held out", holdout["held_out"]["rate"], share(holdout["held_out"]["rate"])),
    ]
    value = holdout["value_more"]
    worth = ""
    if value:
        low, high = money(value["low"], currency), money(value["high"], currency)
        worth = f"<p>Worth {money(value['estimate'], currency)} more ({low} to {high}).</p>"
    return (
        _verdict(holdout["verdict"], decided=holdout["needed"] == 0)
        + worth
        + intervals("Goal rates, with their intervals", rows, zero=False)
    )


def _experiment(one: Told) -> str:
    rows = [(each["variant"], each["rate"], share(each["rate"])) for each in one["variants"]]
    chart = intervals("Goal rates by variant, with their intervals", rows, zero=False)
    cells = [
        [
            _name(each["variant"]),
            f"{each['weight']:.0%}",
            whole(each["entered"]),
            whole(each["goals"]),
            f"{each['rate']['estimate']:.1%}",
            f"{escape(chance(each['best']))}{share_bar(each['best'])}",
            f"{each['value_each']:,.2f}",
            NOTHING if each["cost"] is None else f"{each['cost']:,.2f}",
            _roi(each["roi"]),
        ]
        for each in one["variants"]
    ]
    table = _table("Variants", _VARIANTS, cells)
    return _verdict(one["verdict"], decided=bool(one["winner"])) + chart + table


def _verdict(said: str, *, decided: bool) -> str:
    kind = "verdict decided" if decided else "verdict"
    return f'<p class="{kind}">{escape(said[:1].upper() + said[1:])}.</p>'


def _steps(told: Told) -> str:
    rows = []
    most = max([step["reached"] for step in told["steps"]] + [1])
    for step in told["steps"]:
        row = _row(step["id"], step, _STEPS)
        row[0] = f"{escape(step['id'])} <small>{escape(step['kind'])}</small>"
        row[1] = f"{whole(step['reached'])}{share_bar(step['reached'] / most)}"
        rows.append(row)
    return _table("Enrollments and messages by step", _STEPS, rows)


def _trend(trend: Sequence[Told]) -> str:
    ends = (_instant(trend[0]["at"]), _instant(trend[-1]["at"]))
    return "".join(
        f"<h3>{name}: {whole(sum(hour[kind] for hour in trend))}</h3>"
        + bars(f"{name} by hour", [hour[kind] for hour in trend], ends)
        for kind, name in _TREND
    )


def _reasons(told: Told) -> str:
    rows = [
        [escape(what), _name(reason or NOTHING), whole(count)]
        for what, reasons in (
            ("refused", told["refused"]),
            ("skipped", told["skipped"]),
            ("left early", told["exited"]),
        )
        for reason, count in sorted(reasons.items(), key=lambda one: -one[1])
    ]
    if not rows:
        return '<p class="soft">Nobody was refused, no message skipped, and nobody left early.</p>'
    return _table("Entries refused, messages skipped, early ends", ("what", "why", "times"), rows)


def _row(name: str, one: Told, columns: Sequence[str]) -> list[str]:
    found = [_name(name)]
    for column in columns[1:]:
        value = one.get({"value": "goal_value", "ROI": "roi"}.get(column, column))
        if column == "ROI":
            found.append(_roi(value))
        elif value is None:
            found.append(NOTHING)
        elif column in {"value", "cost"}:
            found.append(f"{value:,.2f}")
        else:
            found.append(whole(sum(value.values()) if isinstance(value, dict) else value))
    return found


def _table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>'
        + "".join(f"<td>{cell}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    label = f'role="region" aria-label="{escape(caption)}" tabindex="0"'
    return (
        f'<div class="wide" {label}><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _name(name: str) -> str:
    return escape(name)


def _roi(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.1f}"


def _instant(said: str) -> str:
    """`2026-01-01 00:30 UTC`."""
    return f"{said[:10]} {said[11:16]} UTC"
