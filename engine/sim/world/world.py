"""A whole world from one seed: it is unsafe for a while, then it heals, and has to drain."""

from __future__ import annotations

import logging
import tempfile
import traceback
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zlib import crc32

import msgspec
import structlog

from channels.base import CHANNEL_IDS
from engine.sim.world.clients import BODY_SMALL, Clients
from engine.sim.world.coverage import state_of
from engine.sim.world.disk import Disk
from engine.sim.world.machine import LOOK_NS, MS, Machine
from engine.sim.world.network import Network
from engine.sim.world.operator import Operator
from engine.sim.world.process import Process
from engine.sim.world.providers import FAULTY, Fate, Provider
from engine.sim.world.recipients import Recipients
from engine.sim.world.safekeeping import Safekeeping
from engine.sim.world.scenario import Scenario, stream, who
from engine.sim.world.shop import EDITIONS, world_shop
from engine.sim.world.trouble import Trouble
from engine.sim.world.violation import Violation
from engine.sim.world.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from channels.base import Message
    from engine.sim.world.clients import Body
    from engine.sim.world.scenario import Chance

TURNS_MAX: Final = 400_000
"""A world that needs more does not come to its end."""

LIVES_MAX: Final = 100
"""A process that is started more often will not stay."""

DRAINS_WITHIN_MS: Final = 3_600_000
"""How long a healed world may take until nothing is left to be done."""

SETTLED_FOR_MS: Final = 90_000
"""Deadlines further ahead than this are not waited for."""

WORLD_BROKE: Final = "the world itself holds"
"""The promise that an error outside of the process breaks."""

LOOK_EVERY: Final = 16
"""Turns between two looks at which state the world is in."""

HOUR_MS: Final = 3_600_000

_TMPFS = Path("/dev/shm")  # noqa: S108 - a folder of its own in it, where syncs cost nothing


class Outcome(msgspec.Struct, kw_only=True):
    """What became of a world.

    Attributes:
        scenario: What it was made of.
        promise: The promise that was broken, or "".
        seen: How.
        turns: Callbacks of all lives.
        lives: How often the process was started.
        faults: How often each kind of fault happened.
        states: Hashes of the states it was seen in, with most detail taken away.
        inputs: How many inputs are durable.
        messages: How many messages providers took, each counted as often as they took it.
        trace: A hash of everything that providers and clients saw, in order.
    """

    scenario: Scenario
    promise: str = ""
    seen: str = ""
    turns: int = 0
    lives: int = 0
    faults: dict[str, int] = {}
    states: set[int] = set()
    inputs: int = 0
    messages: int = 0
    trace: int = 0


def run(scenario: Scenario) -> Outcome:
    """Run a world to its end, or to the first promise that is broken."""
    folder = _TMPFS if _TMPFS.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="world-", dir=folder) as path, _silence():
        world = World(scenario, Path(path))
        try:
            world.run()
        except Violation as raised:
            # The first one counts: what a half finished turn leaves is no other one.
            violation = world.witness.violation or raised
            world.outcome.promise = violation.promise
            world.outcome.seen = str(violation)
        except Exception as error:  # noqa: BLE001 - a seed that ends the world has to be known too
            at = traceback.extract_tb(error.__traceback__)[-1]
            world.outcome.promise = WORLD_BROKE
            world.outcome.seen = f"{error!r} at {at.filename}:{at.lineno}"
        finally:
            world.end()
        return world.outcome


@contextmanager
def _silence() -> Iterator[None]:
    """Have nothing logged: a world is told of by its outcome."""
    before = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)


class World:
    """A machine, a disk, providers, clients, and a process that dies and is started again."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.outcome = Outcome(scenario=scenario, faults={}, states=set())
        self.scenario = scenario
        self.machine = Machine()
        self._faults = set(scenario.faults)
        self._counts: Counter[str] = Counter()
        self._healed = False
        self._process: Process | None = None
        self._dies_in = -1
        self._accept_clock = False
        self._was_open = False
        self._drained_by_ns = 0
        self._fates = self._stream("providers")
        self._chaos = self._stream("process")
        self.disk = Disk(folder, self.machine, self._stream("disk"), self.may, self.reach)
        self._trouble = Trouble(
            self.machine, self.disk, self._stream("trouble"), self.may, self.reach
        )
        self.operator = Operator(
            self.machine, self._stream("operator"), self.may, self.reach, self._serving
        )
        self.operator.on_reloaded = self._invite_the_worst
        self._safekeeping = Safekeeping(
            folder, self.machine, self._stream("safekeeping"), self.may, self.reach, self._serving
        )
        forgets = "pruned" in scenario.faults
        self.operator.forgets = forgets
        shops = [world_shop(edition, forgets=forgets) for edition in range(EDITIONS)]
        self.witness = Witness(self.disk, shops)
        self.disk.on_torn = self._on_torn
        self.disk.on_done = self.witness.see_work_done
        self.providers = {name: self._make_provider() for name in CHANNEL_IDS}
        self._network = Network(self.machine, self._stream("network"), self._serving)
        self._network.on_answer = self._on_answer
        self.clients = Clients(
            self.machine, self._stream("clients"), self.may, self.reach, self._network.send
        )
        self.recipients = Recipients(
            self.machine, self._stream("recipients"), self.may, self.reach, self.clients.post
        )

    def may(self, kind: str) -> bool:
        """Whether a kind of fault may happen now."""
        return not self._healed and kind in self._faults

    def reach(self, kind: str) -> None:
        """A fault did happen."""
        self._counts[kind] += 1

    def run(self) -> None:
        """Let it all happen. Raises Violation."""
        scenario, machine = self.scenario, self.machine
        users = who(scenario)
        self.clients.begin(users, scenario.events, min(scenario.unsafe_ms, 40_000))
        self.recipients.begin(users, scenario.unsafe_ms)
        self.operator.begin(users, scenario.unsafe_ms)
        self._safekeeping.begin(self.operator, scenario.unsafe_ms)
        self._trouble.begin(scenario.unsafe_ms)
        machine.after(scenario.unsafe_ms * MS, self._heal)
        self._start()
        while not self._is_over():
            late = self._healed and self._process and machine.now_ns > self._drained_by_ns
            if late or self.outcome.turns > TURNS_MAX or self.outcome.lives > LIVES_MAX:
                self.witness.blame("a healed world drains", self._why_not_over())
            self._step()
            if self.witness.violation is not None:
                raise self.witness.violation
        assert self._process is not None
        sent = {message_id for body in self.clients.bodies for message_id in body.ids}
        self.witness.see_end_state(self._process.processor, sent)

    def end(self) -> None:
        """Let go of it all, and count."""
        if self._process is not None:
            self._process.loop.bury()
        self.disk.move((b"", b""))
        outcome = self.outcome
        if self.witness.pruned:
            self.reach("pruned")
        outcome.faults = dict(self._counts)
        outcome.inputs = len(self.witness.journal)
        outcome.messages = sum(len(provider.wires) for provider in self.providers.values())
        wires = [(name, provider.wires) for name, provider in self.providers.items()]
        tries = [(body.ids, body.tries) for body in self.clients.bodies]
        outcome.trace = crc32(repr((wires, tries, outcome.turns, self.machine.now_ns)).encode())

    # One step

    def _step(self) -> None:
        machine, process = self.machine, self._process
        if machine.happen():
            return
        comes_at_ns = machine.next_at_ns()
        runs_at_ns = process.loop.next_at_ns() if process is not None else None
        instants = [at_ns for at_ns in (comes_at_ns, runs_at_ns) if at_ns is not None]
        if not instants:
            self.witness.blame("a healed world drains", "nothing will happen any more")
        machine.now_ns = max(machine.now_ns, min(instants))
        if process is not None and runs_at_ns is not None and runs_at_ns <= machine.now_ns:
            self._turn(process)

    def _turn(self, process: Process) -> None:
        outcome = self.outcome
        if not process.loop.turn():
            return
        outcome.turns += 1
        self.machine.now_ns += self._chaos.randrange(500, 5_000)
        try:
            process.check()
        except Violation:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the process should not
            self.witness.blame("the process knows what to do", repr(error))
        if process.is_open:
            if not self._was_open:
                self._was_open = True
                self._network.cut()
            self.witness.see_turn(process.processor)
            if self._healed:
                self.witness.see_heal()
            if outcome.turns % LOOK_EVERY == 0:
                outcome.states.add(state_of(process, outcome.lives, healed=self._healed))
        self._dies_in -= 1
        if process.ended:
            self._bury(f"ended: {process.ended}")
        elif self._dies_in == 0 and self.may("crash"):
            self.reach("crash")
            self._bury("crash")

    # Lives

    def _start(self) -> None:
        chaos = self._chaos
        self.outcome.lives += 1
        self._drained_by_ns = self.machine.now_ns + DRAINS_WITHIN_MS * MS
        self.disk.checkpoint_pages = chaos.choice((2, 8, 40, 1000))
        self.machine.look_ns = chaos.choice((LOOK_NS, LOOK_NS, 20_000, 400_000))
        self._process = Process(
            self.operator.shop,
            self.machine,
            self.disk,
            self.providers,
            self.witness,
            self._stream(f"life {self.outcome.lives}"),
            accept_clock=self._accept_clock,
        )
        self._dies_in = -1
        if not self._healed and self.outcome.lives < self.scenario.lives:
            self._draw_end()

    def _draw_end(self) -> None:
        chaos, process = self._chaos, self._process
        kind = chaos.choice([one for one in ("crash", "torn", "drain") if self.may(one)] or [""])
        turns = chaos.randrange(1, chaos.choice((40, 100, 250)))
        works = chaos.randrange(2, chaos.choice((8, 15, 40)))
        delay_ms = chaos.randrange(10, 20_000)
        if kind == "crash":
            self._dies_in = turns
        elif kind == "torn":
            self.disk.torn_in = works
        elif kind == "drain":

            def drain() -> None:
                if self._process is process and process is not None and self.may("drain"):
                    self.reach("drain")
                    process.stop()

            self.machine.after(delay_ms * MS, drain)

    def _invite_the_worst(self) -> None:
        """Much has changed that is saved bit by bit: it may well die soon."""
        if self.outcome.lives < self.scenario.lives:
            chaos = self._chaos
            self._dies_in = chaos.choice((self._dies_in, chaos.randrange(1, 60)))

    def _on_torn(self) -> None:
        self._bury("torn")

    def _bury(self, why: str) -> None:
        """The process is gone; somebody starts it again after a while."""
        process, self._process = self._process, None
        assert process is not None
        self.witness.see_end()
        process.loop.bury()
        if self._was_open:
            self._network.cut()
        self._was_open = False
        if why != "torn":
            self.disk.crash()
        self._safekeeping.stand_in(self.disk, self.operator, self.witness)
        # What the operator is told to do, he does.
        self._accept_clock = why == "ended: serve.clock"
        if self._accept_clock:
            self._counts["clock_refused"] += 1
        chaos = self._chaos
        away_ms = chaos.choice((5, 500, 4_000, 20_000))
        long_ms = chaos.choice((HOUR_MS, 4 * HOUR_MS, 30 * HOUR_MS))
        if self.may("long_downtime") and chaos.random() < 0.2:  # noqa: PLR2004 - one in five
            self.reach("long_downtime")
            away_ms = long_ms
        self.machine.after(away_ms * MS, self._start)

    # The world around

    def _serving(self) -> Process | None:
        process = self._process
        return process if process is not None and process.is_open else None

    def _stream(self, name: str) -> Chance:
        return stream(self.scenario.seed, name)

    def _on_answer(self, body: Body) -> None:
        if len(body.ids) > BODY_SMALL:
            self._invite_the_worst()

    def _make_provider(self) -> Provider:
        fates = self._fates

        def draw() -> Fate:
            faulty = [fate for fate in FAULTY if self.may(fate)]
            if not faulty or fates.random() < 0.5:  # noqa: PLR2004 - half
                return "taken"
            fate = fates.choice(faulty)
            self.reach(fate)
            return fate

        provider = Provider(draw, lambda up_to: fates.random() * up_to)
        provider.on_handed = self.witness.see_handed
        provider.on_taken = self._on_taken
        provider.on_answered = self.witness.see_delivered
        return provider

    def _on_taken(self, message: Message) -> None:
        self.recipients.take(message)

    # The end

    def _heal(self) -> None:
        self._healed = True
        self.operator.resume()
        self._dies_in = -1
        self._drained_by_ns = self.machine.now_ns + DRAINS_WITHIN_MS * MS

    def _is_over(self) -> bool:
        process = self._serving()
        if (
            not self._healed
            or process is None
            or self.outcome.turns % LOOK_EVERY
            or not self.clients.are_done
        ):
            return False
        return not self._why_not_over()

    def _why_not_over(self) -> str:
        process = self._serving()
        if process is None:
            return "the process does not start"
        if self.operator.to_erase or process.under_erasure or not self.clients.are_done:
            return "clients, or the operator, still wait to hear that something was done"
        processor = process.processor
        if processor.awaited() > processor.finished:
            return "a commit is under way"
        if not self.witness.is_settled(processor):
            return "deliveries are open"
        if processor.wake_at_ms <= processor.now_ms + SETTLED_FOR_MS:
            return "deadlines are near"
        return ""
