"""Times of a scenario as times of the chain, whose days may be shorter."""

from dataclasses import replace
from datetime import datetime
from functools import cached_property

from dem.community.crowd import Session
from dem.community.scenario import Scenario
from dem.model.calendar import CalendarParameters


class Clock:
    """When things are due that the scenario decides on; calendar: of the market on the chain."""

    def __init__(self, scenario: Scenario, calendar: CalendarParameters) -> None:
        self.calendar = calendar
        self._scenario = scenario

    @cached_property
    def pool_calendars(self) -> dict[str, CalendarParameters]:
        """A pool closes at a gate of its own, before the auction's."""
        if not self._scenario.markets.pools:
            return {}
        return {
            pool.name: replace(self.calendar, gate_lead=self._scaled(pool.gate_lead_seconds))
            for pool in self._scenario.config.pools
        }

    def pools_close_at(self, day: int) -> int:
        """When the last pool has closed; without pools when the day opens."""
        closings = (calendar.gate_closes_at(day) for calendar in self.pool_calendars.values())
        return max(closings, default=self.calendar.opens_at(day))

    def session_starts_at(self, day: int, session: Session) -> int:
        """When participants begin to revise what they traded."""
        return self.calendar.start_of(day) + self._scaled(session.starts)

    def session_ends_at(self, day: int, session: Session) -> int:
        """When its first period's gate closes."""
        keys = self._scenario.config.intraday
        lead = self._scaled(keys.gate_lead_seconds) if keys else 0
        return self.calendar.start_of(day) + session.first * self.calendar.period_length - lead

    def local_time(self, time: int) -> datetime:
        """The scenario's local time at a time of the chain."""
        calendar = self._scenario.calendar
        passed = (time - self.calendar.opening) * calendar.period_seconds // self.calendar.period_length
        return datetime.fromtimestamp(calendar.opening + passed, calendar.zone)

    def _scaled(self, seconds: int) -> int:
        """Seconds of the scenario as seconds of the chain."""
        return seconds * self.calendar.period_length // self._scenario.calendar.period_seconds
