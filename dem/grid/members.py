"""Where members are connected and what is expected of them: tables by account that a dispatcher keeps."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dem.model.units import Wh
from dem.tables import Kept, read_rows


def expected(path: Path, periods_per_day: int) -> Callable[[int], Mapping[str, Sequence[Wh]]]:
    """Net energy expected of members. Columns: account, day, slot, net_wh (consumption positive); a slot without: 0.

    Days are those of the market: of a day that the table does not know nothing is expected.
    """

    def read(path: Path) -> Mapping[int, Mapping[str, Sequence[Wh]]]:
        days: dict[int, dict[str, list[Wh]]] = {}
        for row in read_rows(path, ("account", "day", "slot", "net_wh")):
            slot = row["slot"].integer()
            if slot >= periods_per_day:
                raise row["slot"].wrong(f"must be less than {periods_per_day}")
            of_day = days.setdefault(row["day"].integer(), {})
            net = of_day.setdefault(row["account"].address(), [Wh(0)] * periods_per_day)
            net[slot] = Wh(row["net_wh"].multiple(1, "Wh"))
        return days

    nothing: Mapping[int, Mapping[str, Sequence[Wh]]] = {}
    kept = Kept(path, read, nothing)
    return lambda day: kept().get(day, {})


def buses(path: Path) -> Callable[[], Mapping[str, str]]:
    """Where members are connected. Columns: account, bus (of the network's tables)."""

    def read(path: Path) -> Mapping[str, str]:
        return {row["account"].address(): row["bus"].text for row in read_rows(path, ("account", "bus"))}

    nothing: Mapping[str, str] = {}
    return Kept(path, read, nothing)
