"""Random histories of meters: contracts against the reference model and against the truth (rule 14.11)."""

import os

import pytest

from .random_gaps import RandomGaps, RandomLosses

HISTORIES = int(os.environ.get("DEM_RANDOM_GAPS", "60"))
"""Histories to play; `make test-long` plays 20,000."""
PORTIONS = 4


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_what_the_register_shows_is_what_is_settled_and_silence_never_pays(portion):
    trued_up = glitches = 0
    for seed in range(portion, HISTORIES, PORTIONS):
        history, honest = RandomGaps(seed), RandomGaps(seed, is_honest=True)
        try:
            for run in (history, honest):
                run.run()
            assert history.paid() >= honest.paid()
        except Exception as error:
            error.add_note(f"RandomGaps({seed})")
            raise
        glitches += history.rejections
        trued_up += history.market.tally.events["LateReconciliation.TruedUp"]
    assert trued_up
    assert glitches


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_a_grid_operator_sheds_no_losses_by_silence(portion):
    estimated = 0
    for seed in range(portion, HISTORIES, PORTIONS):
        history, honest = RandomLosses(seed), RandomLosses(seed, is_honest=True)
        try:
            for run in (history, honest):
                run.run()
            assert history.paid() >= honest.paid()
        except Exception as error:
            error.add_note(f"RandomLosses({seed})")
            raise
        estimated += history.market.tally.events["MeterReadings.Estimated"]
    assert estimated
