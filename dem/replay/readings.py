"""What meters showed on a day, as the events tell."""

from dataclasses import dataclass

from dem.model.markets.auction import Column

MISSING, MEASURED, CORRECTED, ESTIMATED, SUBSTITUTED = range(5)
"""Status of a reading; what is substituted the metering operator says it has put in itself."""

NOT_READ = (MISSING, ESTIMATED)


@dataclass(slots=True, eq=False)
class MeterValues:
    """One member's day by slot: net consumption in Wh, 0 where it is missing, and status."""

    net: Column
    status: Column
