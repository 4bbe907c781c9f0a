"""What a user agreed to, and the proof of it: by channel and topic, when, and how it came.

What holds is the trait `consent`: a map of channel to true or false, and under `topics` one of
topic to true or false. A marketing message needs a yes for its channel (`guardrails.consents`), and
that its topic was not refused. The proof is a line for each change, kept with the user as long as
he is: `source` says how it came.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from engine.core.guardrails import address_of
from engine.core.people.traits import CONSENT_CHANNELS, TOPICS, TOPICS_MAX
from engine.core.state import Rapport

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from engine.core.inputs import ConsentStated
    from engine.core.state import User

CONSENTS_MAX: Final = 100
"""Lines of proof kept of a user; beyond it the oldest that a later one has overtaken go first."""

EVERYTHING: Final = "everything"
"""What a plain `false` in the place of the map is a no to."""

_UNSEEMLY: Final = re.compile(r"[\s\x00-\x1f\x7f]+")


def state_consent(user: User, happened: ConsentStated) -> None:
    """Have a yes or no in his traits, addresses among those suppressed, and all of it proven.

    Total: what names no channel is left out, and what it has no room for of topics. O(traits).
    """
    before = user.traits.get("consent")
    channels = {key: yes for key, yes in happened.channels.items() if key in CONSENT_CHANNELS}
    consent = _known(before)
    consent.update(channels)
    topics = dict(consent.get(TOPICS) or {})
    for topic, yes in happened.topics.items():
        if topic in topics or len(topics) < TOPICS_MAX:
            topics[topic] = yes
    if topics:
        consent[TOPICS] = topics
    if consent != before and (channels or happened.topics):
        user.traits = {**user.traits, "consent": consent}
    at_ms, source = happened.at_ms, happened.source
    for key, yes in channels.items():
        prove(user, at_ms, key, yes=yes, source=source)
    for topic, yes in happened.topics.items():
        if topic in topics:
            prove(user, at_ms, f"topic:{topic}", yes=yes, source=source)
    for channel, is_bad in happened.suppressed.items():
        suppress(user, at_ms, channel, source, is_bad=is_bad)


def suppress(
    user: User, at_ms: int, channel: str, source: str, *, is_bad: bool = True, address: str = ""
) -> None:
    """Send nothing more to an address of his (by default the one he has there), or free it.

    One of each channel is remembered: what is told late of an address that he has left does not
    take the place of the one he has.
    """
    if is_bad:
        own, known = address_of(user, channel), user.suppressed.get(channel)
        bad = address or own
        if not isinstance(bad, str) or (known is not None and known in (bad, own)):
            return
        user.suppressed = {**user.suppressed, channel: bad}
    elif channel in user.suppressed:
        user.suppressed = {key: bad for key, bad in user.suppressed.items() if key != channel}
    else:
        return
    prove(user, at_ms, f"address:{channel}", yes=not is_bad, source=source)


def prove_said(user: User, before: object, at_ms: int, source: str) -> None:
    """Prove what an identify call has changed of consent; `before` is the trait as it was."""
    now = user.traits.get("consent")
    if now is before or now == before:
        return
    said, was = dict(_each(now)), dict(_each(before))
    changed = {what: yes for what, yes in said.items() if was.get(what) is not yes}
    _prove_all(user, at_ms, changed, source)


def prove(user: User, at_ms: int, what: str, *, yes: bool, source: str) -> None:
    """Keep one line. O(`CONSENTS_MAX`)."""
    _prove_all(user, at_ms, {what: yes}, source)


def _prove_all(user: User, at_ms: int, said: Mapping[str, bool], source: str) -> None:
    """Keep a line for each: all are bounded at once, since an identify call may name thousands."""
    if user.rapport is None:
        user.rapport = Rapport({})
    word = (_UNSEEMLY.sub("-", source) or "unknown")[:60]
    lines = user.rapport.consents.splitlines()
    for what, yes in said.items():
        about = _UNSEEMLY.sub(" ", what)[:200]
        lines.append(f"{at_ms} {word} {'yes' if yes else 'no'} {about}")
    user.rapport.consents = bounded(lines)


def proofs(user: User) -> list[tuple[int, str, bool, str]]:
    """Each change, oldest first: (at_ms, what, yes, source)."""
    lines = "" if user.rapport is None else user.rapport.consents
    split = [line.split(" ", 3) for line in lines.splitlines()]
    return [(int(at_ms), what, yes == "yes", source) for at_ms, source, yes, what in split]


def is_stated(user: User, channels: Mapping[str, bool], topics: Mapping[str, bool]) -> bool:
    """Whether all of that holds already and is proven: said again it would change nothing.

    O(`CONSENTS_MAX`).
    """
    holds = dict(_each(user.traits.get("consent")))
    proven = {what: yes for _, what, yes, _ in proofs(user)}
    said = {**channels, **{f"topic:{topic}": yes for topic, yes in topics.items()}}
    return all(holds.get(what) is yes and proven.get(what) is yes for what, yes in said.items())


def _known(consent: object) -> dict[str, Any]:
    if consent is False:
        return dict.fromkeys(CONSENT_CHANNELS, False)
    known = dict(consent) if isinstance(consent, dict) else {}
    if not isinstance(known.get(TOPICS), dict):
        known.pop(TOPICS, None)
    return known


def _each(consent: object) -> Iterator[tuple[str, bool]]:
    """Every plain yes and no in what a user has said of consent."""
    if consent is False:
        yield EVERYTHING, False
    if not isinstance(consent, dict):
        return
    for channel in CONSENT_CHANNELS:
        if isinstance(consent.get(channel), bool):
            yield channel, consent[channel]
    topics = consent.get(TOPICS)
    for topic, yes in topics.items() if isinstance(topics, dict) else ():
        if isinstance(yes, bool) and isinstance(topic, str):
            yield f"topic:{topic}", yes


def bounded(lines: Sequence[str]) -> str:
    """The lines that are kept of these, as one text. O(lines)."""
    over = len(lines) - CONSENTS_MAX
    if over > 0:
        newest = {line.split(" ", 3)[3]: place for place, line in enumerate(lines)}
        places = set(newest.values())
        overtaken = [place for place in range(len(lines)) if place not in places]
        gone = set([*overtaken, *sorted(places)][:over])
        lines = [line for place, line in enumerate(lines) if place not in gone]
    return "".join([f"{line}\n" for line in lines])
