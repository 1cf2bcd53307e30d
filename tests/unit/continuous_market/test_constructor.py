from support.refusals import refused
from support.village import Village

from dem.deployment.market import ADMIN


def test_reverts_when_the_gate_lies_before_the_day_ahead(village: Village) -> None:
    market, lead = village.market, village.calendar.open_lead
    addresses = [market.addresses[name] for name in ("ParticipantRegistry", "MarketRules", "Accounts", "Schedule")]
    arguments = (market.addresses["Authority"], village.calendar.as_tuple(), lead + 1, *addresses)
    with refused("BadCalendar", parameter="intradayLead", value=lead + 1, limit=lead):
        market.chain.deploy(market.keys[ADMIN], "ContinuousMarket", arguments)
