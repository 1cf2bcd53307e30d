import pytest
from support.village import Village


@pytest.fixture
def delivered(village: Village) -> None:
    """Day 1 is over, its readings are due."""
    village.wait_until(village.calendar.start_of(2))
