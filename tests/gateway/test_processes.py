"""The processes of a gateway: together or not at all."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from dem.gateway.processes import Notice

TWO = """
import os, time, sys
from dem.gateway.processes import run_together
def work(seconds):
    os.write(1, b"%d\\n" % os.getpid())
    time.sleep(seconds)
raise SystemExit(run_together([lambda: work({seconds}), lambda: work(600)]))
"""


def await_that(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def is_there(pid: int) -> bool:
    """Whether it runs; one that has ended and was not waited for does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stream:
            return stream.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
@pytest.mark.parametrize(
    ("seconds", "number", "code"),
    [(2, None, 1), (600, signal.SIGTERM, 0), (600, signal.SIGINT, 0), (600, signal.SIGKILL, -signal.SIGKILL)],
)
def test_if_one_ends_all_do(seconds: float, number: int | None, code: int) -> None:
    words = [sys.executable, "-c", TWO.format(seconds=seconds)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        try:
            children = [int(parent.stdout.readline()) for _ in range(2)]
            if number is not None:
                os.kill(parent.pid, number)
            assert parent.wait(60) == code
            await_that(lambda: not any(map(is_there, children)))
        finally:
            parent.kill()


def test_what_one_notes_the_others_read() -> None:
    notice = Notice()
    assert notice.trouble == ""
    child = os.fork()
    if not child:
        notice.trouble = "the node is away: " + "\N{GREEK SMALL LETTER ALPHA}" * 2_000
        os._exit(0)
    os.waitpid(child, 0)
    assert notice.trouble.startswith("the node is away: \N{GREEK SMALL LETTER ALPHA}")
    notice.trouble = ""
    assert notice.trouble == ""
