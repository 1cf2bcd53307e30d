"""What meters showed on a day, as the events tell."""

from dataclasses import dataclass

from dem.model.markets.auction import Column

MISSING, MEASURED, CORRECTED, ESTIMATED = range(4)
"""Status of a reading."""


@dataclass(slots=True, eq=False)
class MeterValues:
    """One member's day by slot: net consumption in Wh, 0 where it is missing, and status."""

    net: Column
    status: Column
