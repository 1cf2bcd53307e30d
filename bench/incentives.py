"""What one member, or two accounts of one owner, gain by acting otherwise than honestly, under every pricing.

python bench/incentives.py       writes bench/incentives.json and bench/incentives.md
"""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from host import machine

from dem.community.config import RulesVersion
from dem.community.scenario import Scenario, load_scenario
from dem.lab.exploits import Exploit, exploitability

HERE = Path(__file__).resolve().parent
SCENARIOS = HERE.parent / "scenarios"
PRICINGS: tuple[str, ...] = get_args(RulesVersion.model_fields["imbalance_pricing"].annotation)
EVERY = 49
"""Days of the year from one that is played to the next."""
MONEY = 10**8
"""Money units of a EUR."""
LIMIT = 0.1
"""Percent of the community's bill that no gain should exceed."""

INTRODUCTION = """# What dishonest ways bring

`dem.lab.exploits.exploitability(rules, community, days)` tries many ways to act otherwise than honestly: of one member,
or of two accounts of one owner. A way is the same on all days. All others do as ever, by the default strategy. The
table has the best of each kind: what it brings a day on average, as a share of what the community pays, and of what
those pay who act so. With a negative number the best way of the kind loses.

The village: {days} days of rural-year, every {every}th, the call auction alone. Each pricing with the other rules of
the scenario. The wholesale desk: the Sunday of rural-markets, auction and desk.

Written by `make bench-incentives` in {seconds:.0f} s on {machine}.
"""
HEAD = """
## {pricing}{note}

| kind | EUR a day | of the community's bill | of their own | who | what they do |
|---|--:|--:|--:|---|---|
"""


def found_under(pricing: str, year: Scenario, sunday: Scenario) -> list[Exploit]:
    """What is found under a pricing."""
    days = list(year.days)[::EVERY]
    found = exploitability(_rules(year, pricing), year, days)
    desk = [
        one for one in exploitability(_rules(sunday, pricing), sunday, sunday.days) if one.attack == "desk misquotes"
    ]
    return sorted([*found, *desk], key=lambda one: -one.percent)


def _rules(scenario: Scenario, pricing: str) -> RulesVersion:
    return scenario.config.rules[0].model_copy(update={"imbalance_pricing": pricing})


def row(one: Exploit) -> str:
    """A line of the table."""
    own = "" if one.percent_of_own is None else f"{one.percent_of_own:.2f} %"
    who = " and ".join(one.who)
    return f"| {one.attack} | {one.units / MONEY:.3f} | {one.percent:.2f} % | {own} | {who} | {one.what} |"


def main() -> None:
    """Measure and write."""
    began = time.monotonic()
    year, sunday = (load_scenario(SCENARIOS / name) for name in ("rural-year", "rural-markets"))
    found: dict[str, list[Exploit]] = {}
    for pricing in PRICINGS:
        found[pricing] = found_under(pricing, year, sunday)
        print(pricing, *map(row, found[pricing]), sep="\n")
    default = year.config.rules[0].imbalance_pricing
    text = INTRODUCTION.format(
        days=len(year.days[::EVERY]), every=EVERY, seconds=time.monotonic() - began, machine=machine()
    )
    for pricing, rows in sorted(found.items(), key=lambda item: item[0] != default):
        text += HEAD.format(pricing=pricing, note=", the default" if pricing == default else "")
        text += "\n".join(map(row, rows)) + "\n"
    left = [one for one in found[default] if one.percent > LIMIT]
    text += f"\nBy default {len(left)} kinds bring more than {LIMIT} % of the community's bill.\n"
    record: dict[str, Any] = {pricing: [asdict(one) for one in rows] for pricing, rows in found.items()}
    (HERE / "incentives.json").write_text(
        json.dumps({"machine": machine(), **record}, indent=1) + "\n", encoding="utf-8"
    )
    (HERE / "incentives.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
