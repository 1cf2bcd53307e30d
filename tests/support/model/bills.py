"""A community's days played without a chain, and the terms of its bills."""

from pathlib import Path

from dem.community.scenario import load_scenario
from dem.offchain.run import write_days
from dem.results.reader import Results, read_results

BILL = """
[bill]
vat = 19
levies = [{ name = "Electricity tax", per_kwh = 0.0205 }, { name = "Metering", per_day = 0.05 }]
"""


def played(scenario: Path, folder: Path) -> Results:
    """The tables of a scenario."""
    write_days(load_scenario(scenario), folder)
    return read_results(folder)
