"""The processes of a gateway: one that brings messages, and those that answer. If one of them ends, all do.

Bringing works long without a pause. In a process of its own it keeps nobody waiting who only asks.
"""

import ctypes
import mmap
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType

_NOTICE_BYTES = 1_024
_ENDING = (signal.SIGTERM, signal.SIGINT)
_DIES_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of Linux."""


class Notice:
    """A line that one process writes and the others read: why nothing can be brought now."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, _NOTICE_BYTES)

    @property
    def trouble(self) -> str:
        """What it says; empty if all is well."""
        return self._shared[:].rstrip(b"\0").decode(errors="replace")

    @trouble.setter
    def trouble(self, text: str) -> None:
        self._shared[:] = text.encode()[:_NOTICE_BYTES].ljust(_NOTICE_BYTES, b"\0")


def run_together(works: Sequence[Callable[[], object]]) -> int:
    """Do each work in a process of its own until one ends or this one is told to end; then end all.

    The exit code: 0 if this one was told to.
    """
    children: list[int] = []
    told: list[int] = []
    own = os.getpid()

    def end(number: int, _frame: FrameType | None) -> None:
        if os.getpid() != own:  # in one that has just begun
            os._exit(0)
        told.append(number)
        _tell(children)

    for number in _ENDING:
        signal.signal(number, end)
    for work in works:
        children.append(_fork(work))
    if told:  # before all were there
        _tell(children)
    first, _ = os.wait()
    _tell(children)
    for child in children:
        if child != first:
            with suppress(ChildProcessError):
                os.waitpid(child, 0)
    return 0 if told else 1


def _fork(work: Callable[[], object]) -> int:
    parent = os.getpid()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        for number in _ENDING:
            signal.signal(number, signal.SIG_DFL)
        if sys.platform == "linux":
            # Also where the parent is killed, nobody goes on bringing beside the gateway that takes its place.
            ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
        work()
        code = 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _tell(children: Sequence[int]) -> None:
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGTERM)
