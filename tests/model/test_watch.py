"""A chain whose blocks do not come, or come from the future, is told of once."""

import time

import pytest

from dem.chain import watch
from dem.chain.watch import Watch


@pytest.fixture
def clock(monkeypatch):
    """This machine's clock, which can be set."""
    now = [1_700_000_000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_a_standstill_is_told_of_once_and_again_after_a_block(clock):
    looks = Watch()
    assert not looks.look(7, int(clock[0]))
    clock[0] += watch.AGE_SECONDS + 1
    assert "no block after 7, which is 61 s old" in looks.look(7, 1_700_000_000)
    assert not looks.look(7, 1_700_000_000)
    assert not looks.look(8, int(clock[0]))
    clock[0] += watch.AGE_SECONDS + 1
    assert "no block after 8" in looks.look(8, 1_700_000_061)


def test_a_chain_that_stands_still_for_long_is_told_of_at_the_first_look(clock):
    assert "no block after 7, which is 3600 s old" in Watch().look(7, 1_700_000_000 - 3600)


def test_a_block_of_the_future(clock):
    looks = Watch()
    assert not looks.look(7, 1_700_000_000 + watch.AHEAD_SECONDS)
    assert "block 8 is 86400 s ahead of this machine's clock" in looks.look(8, 1_700_000_000 + 86_400)
    assert not looks.look(9, 1_700_000_000 + 86_400)
