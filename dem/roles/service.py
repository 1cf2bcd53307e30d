"""A role as a process: looks again and again what is due, does it, and says how it fares.

It remembers nothing that a kill could lose. What it keeps between two looks only spares the chain questions.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from dem.errors import BlocksLostError, DemError
from dem.roles.step import Day, Role, Step, due_steps

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
"""Seconds until a step that failed is tried again; doubled each time."""
_LONGEST_AWAY = 10.0
"""Seconds until a chain or a gateway that is away is asked again."""
_ASK_AGAIN = 30.0
"""A step that is done is asked about again after so long: a chain may lose blocks."""
_STALE_SECONDS = 60.0
"""A service that has not looked for so long is not well."""

Turn = tuple[str, Day]
"""A step by its name, and the day."""


class Metrics:
    """What Prometheus is told, of all the roles of a process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        made = {"labelnames": ("role", "name"), "registry": self.registry}
        steps: Any = {"labelnames": ("role", "name", "step"), "registry": self.registry}
        self.looks = Counter("dem_role_looks", "Looks at what is due.", **made)  # type: ignore[arg-type]
        self.done = Counter("dem_role_steps_done", "Steps done.", **steps)
        self.failed = Counter("dem_role_steps_failed", "Steps that failed and are tried again.", **steps)
        self.seconds = Counter("dem_role_step_seconds", "Seconds spent on steps.", **steps)
        self.waiting = Gauge("dem_role_steps_waiting", "Steps that failed and have not been done since.", **made)  # type: ignore[arg-type]
        self.looked = Gauge("dem_role_looked_at", "Unix time of the last look.", **made)  # type: ignore[arg-type]


@dataclass
class _Failure:
    pause: float
    again: float
    why: str


@dataclass
class Service:
    """One role of one name. make: begins anew with what the chain has.

    monotonic: seconds that never go back; of tests.
    """

    role: str
    name: str
    make: Callable[[], Role]
    metrics: Metrics = field(default_factory=Metrics)
    pause: float = 1.0
    monotonic: Callable[[], float] = time.monotonic
    trouble: str = "has not looked yet"
    """Why it can do nothing now; empty if it can."""
    _made: Role | None = None
    _failures: dict[Turn, _Failure] = field(default_factory=dict)
    _done: dict[Turn, float] = field(default_factory=dict)
    _looked: float = 0.0
    _end: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.log = structlog.get_logger().bind(role=self.role, name=self.name)
        self._labels = {"role": self.role, "name": self.name}

    # ------------------------------------------------------------------------------------------------- looking

    def look(self) -> int:
        """Do what is due and can be done; how many steps were. A step that fails keeps up none of the others.

        Raises:
            ChainError: it cannot even be asked what is due.
        """
        self._made = self._made or self.make()
        self.metrics.looks.labels(**self._labels).inc()
        now, count = self._made.now(), 0
        asked: set[Turn] = set()
        for step, day in due_steps(self._made, now):
            turn = step.what, day
            asked.add(turn)
            if self._is_resting(turn):
                continue
            count += self._do(step, day, turn)
        for kept in (self._failures, self._done):
            for turn in kept.keys() - asked:
                del kept[turn]
        self.metrics.waiting.labels(**self._labels).set(len(self._failures))
        return count

    def _is_resting(self, turn: Turn) -> bool:
        now, failure = self.monotonic(), self._failures.get(turn)
        return now < self._done.get(turn, now) or (failure is not None and now < failure.again)

    def _do(self, step: Step, day: Day, turn: Turn) -> bool:
        labels, began = self._labels | {"step": step.what}, self.monotonic()
        try:
            if step.is_done(day):
                self._note_done(turn, is_daily=step.due is not None)
                return False
            if not step.may(day):
                return False
            step.act(day)
        except BlocksLostError:
            raise
        except Exception as error:
            if self._was_done_by_others(step, day):
                self._note_done(turn, is_daily=step.due is not None)
                return False
            self._note_failure(turn, error)
            self.metrics.failed.labels(**labels).inc()
            return False
        self._failures.pop(turn, None)
        seconds = self.monotonic() - began
        self.metrics.done.labels(**labels).inc()
        self.metrics.seconds.labels(**labels).inc(seconds)
        self.log.info(step.what, day=day, seconds=round(seconds, 3))
        return True

    @staticmethod
    def _was_done_by_others(step: Step, day: Day) -> bool:
        """Whether what failed is done all the same: somebody else was faster."""
        try:
            return step.is_done(day)
        except BlocksLostError:
            raise
        except Exception:
            return False

    def _note_done(self, turn: Turn, is_daily: bool) -> None:
        self._failures.pop(turn, None)
        if is_daily:
            self._done[turn] = self.monotonic() + _ASK_AGAIN

    def _note_failure(self, turn: Turn, error: Exception) -> None:
        before = self._failures.get(turn)
        pause = min(2 * before.pause, _LONGEST_PAUSE) if before else _FIRST_PAUSE
        self._failures[turn] = _Failure(pause, self.monotonic() + pause, str(error))
        what, day = turn
        self._warn(what, error, day=day, again_in_seconds=pause)

    def _warn(self, what: str, error: Exception, **more: object) -> None:
        """In a sentence; with the place if nobody foresaw it, and a service goes on all the same."""
        is_foreseen = isinstance(error, (DemError, OSError))
        self.log.warning(what, failed=str(error), exc_info=None if is_foreseen else error, **more)

    # ------------------------------------------------------------------------------------------------- running

    def run(self) -> None:
        """Look until `stop`; what goes wrong is waited for."""
        self.log.info("started")
        pause = self.pause
        while not self._end.is_set():
            try:
                self.look()
                self.trouble, pause = "", self.pause
                self._looked = self.monotonic()
                self.metrics.looked.labels(**self._labels).set(time.time())
            except BlocksLostError as error:
                self._begin_anew()
                self._warn("the chain lost blocks", error)
            except Exception as error:
                self.trouble, pause = str(error), min(max(2 * pause, _FIRST_PAUSE), _LONGEST_AWAY)
                self._warn("cannot look", error, again_in_seconds=pause)
            self._end.wait(pause)
        self.log.info("stopped")

    def _begin_anew(self) -> None:
        self._made = None
        self._done.clear()

    def stop(self) -> None:
        """End after the step that is under way."""
        self._end.set()

    def health(self) -> dict[str, Any]:
        """For machines and people."""
        age = self.monotonic() - self._looked
        trouble = self.trouble or (f"has not looked for {age:.0f} s" if age > _STALE_SECONDS else "")
        return {
            "role": self.role,
            "name": self.name,
            "ok": not trouble,
            "trouble": trouble,
            "failing": list(self._failing()),
        }

    def _failing(self) -> Iterator[dict[str, Any]]:
        for (what, day), failure in list(self._failures.items()):
            yield {"step": what, "day": day, "why": failure.why}
