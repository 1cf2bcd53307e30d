"""How fast a scenario passes on a chain."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dem.model.calendar import CalendarParameters

if TYPE_CHECKING:
    from dem.community.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a scenario passes on a chain.

    period_length: seconds of a delivery period, with which every lead and lag shrinks; None for the scenario's own.
    setup_seconds: for deploying and registering, before the first auction opens.
    """

    period_length: int | None = None
    setup_seconds: int = 300

    def calendar(self, scenario: "Scenario", now: int) -> CalendarParameters:
        """The scenario's calendar on a chain whose time is `now`."""
        calendar = scenario.calendar
        length = self.period_length or calendar.period_seconds
        open_lead = max(1, self._scaled(scenario, calendar.open_lead_seconds))
        return CalendarParameters(
            opening=-(-(now + self.setup_seconds + open_lead) // length) * length,
            period_length=length,
            periods_per_day=calendar.periods_per_day,
            open_lead=open_lead,
            gate_lead=max(1, self._scaled(scenario, calendar.gate_lead_seconds)),
            metering_lag=max(1, self._scaled(scenario, calendar.metering_lag_seconds)),
            correction_lag=max(1, self._scaled(scenario, calendar.correction_lag_seconds)),
        )

    def intraday_lead(self, scenario: "Scenario") -> int:
        """Seconds on the chain from a period's intraday gate to its start."""
        return self._scaled(scenario, scenario.config.intraday.gate_lead_seconds) if scenario.config.intraday else 0

    def _scaled(self, scenario: "Scenario", seconds: int) -> int:
        own = scenario.calendar.period_seconds
        return seconds * (self.period_length or own) // own
