from dataclasses import replace

import pytest
from support.refusals import refused
from support.village import RULES, Village

from dem.deployment.market import ADMIN
from dem.deployment.plan import STEPS, Offices, Parameters
from dem.model.calendar import CalendarParameters

DATED = [
    "ParticipantRegistry",
    "MarketRules",
    "CallAuction",
    "Schedule",
    "WholesaleDesk",
    "WholesaleResidual",
    "MeterReadings",
    "FallbackSupply",
    "Settlement",
    "BilateralContracts",
]
"""The contracts that reckon with the calendar, each with a copy of its own."""
DAY = 10_800


def deploy(village: Village, contract: str, calendar: CalendarParameters) -> str:
    market = village.market
    offices = Offices(
        village.supplier.account, village.operator.account, village.grid_operator.account, village.grid_operator.meter
    )
    parameters = Parameters(market.keys[ADMIN].address, calendar, RULES, offices)
    [step] = [step for step in STEPS if step.contract == contract]
    return market.chain.deploy(market.keys[ADMIN], contract, step.arguments(parameters, market.addresses))


@pytest.mark.parametrize("contract", DATED)
def test_keeps_the_parameters(village: Village, contract: str) -> None:
    assert village.market.contract(contract).functions.calendar().call() == village.calendar.as_tuple()


@pytest.mark.parametrize("contract", DATED)
def test_reverts_in_every_contract_when_the_gate_closes_before_the_auction_opens(
    village: Village, contract: str
) -> None:
    calendar = replace(village.calendar, gate_lead=DAY + 1)
    with refused("BadCalendar", parameter="gateLead", value=DAY + 1, limit=DAY):
        deploy(village, contract, calendar)


@pytest.mark.parametrize(
    ("changes", "parameter", "value", "limit"),
    [
        ({"period_length": 0}, "periodLength", 0, 1),
        ({"periods_per_day": 0}, "periodsPerDay", 0, 96),
        ({"periods_per_day": 102}, "periodsPerDay", 102, 96),
        ({"periods_per_day": 13}, "periodsPerDay", 13, 96),
        ({"gate_lead": DAY}, "gateLead", DAY, DAY),
        ({"correction_lag": 1_800}, "correctionLag", 1_800, 1_800),
        ({"opening": DAY}, "opening", DAY, DAY),
        ({"correction_lag": 5 * DAY + 1}, "correctionLag", 6 * DAY + 1, 6 * DAY),
    ],
    ids=lambda value: next(iter(value.items())) if isinstance(value, dict) else None,
)
def test_reverts_when_the_calendar_contradicts_itself(
    village: Village, changes: dict[str, int], parameter: str, value: int, limit: int
) -> None:
    with refused("BadCalendar", parameter=parameter, value=value, limit=limit):
        deploy(village, "MarketRules", replace(village.calendar, **changes))


def test_takes_parameters_at_their_limits(village: Village) -> None:
    utmost = replace(village.calendar, periods_per_day=96, period_length=1, open_lead=96, gate_lead=95)
    deploy(village, "MarketRules", replace(utmost, metering_lag=0, correction_lag=5 * 96))
