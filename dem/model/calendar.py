"""When delivery days begin, gates close and readings are due (rule 4)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CalendarParameters:
    """When days begin and gates close on the chain; seconds, see Calendar.sol."""

    opening: int
    period_length: int
    periods_per_day: int
    open_lead: int
    gate_lead: int
    metering_lag: int
    correction_lag: int

    def as_tuple(self) -> tuple[int, ...]:
        """The members in the order of the Solidity struct."""
        return (
            self.opening,
            self.period_length,
            self.periods_per_day,
            self.open_lead,
            self.gate_lead,
            self.metering_lag,
            self.correction_lag,
        )

    @property
    def day_length(self) -> int:
        """Seconds of a delivery day."""
        return self.period_length * self.periods_per_day

    @property
    def desk_lead(self) -> int:
        """Seconds after the gate until which the wholesale desk may report: half the time to delivery."""
        return self.gate_lead // 2

    def start_of(self, day: int) -> int:
        """Unix time of a day's first second."""
        return self.opening + (day - 1) * self.day_length

    def opens_at(self, day: int) -> int:
        """Unix time at which a day's auction opens."""
        return self.start_of(day) - self.open_lead

    def gate_closes_at(self, day: int) -> int:
        """Unix time from which no order for the day is taken."""
        return self.start_of(day) - self.gate_lead

    def metering_deadline(self, day: int) -> int:
        """Unix time by which a day's readings are due."""
        return self.start_of(day + 1) + self.metering_lag

    def corrections_close_at(self, day: int) -> int:
        """Unix time from which no reading of the day can be corrected."""
        return self.start_of(day + 1) + self.correction_lag
