from support.refusals import refused
from support.village import Village
from web3.contract import Contract


def test_there_is_room_for_eight_days_after_the_last_final_one(village: Village, rules: Contract) -> None:
    village.relay(rules, "requireRoom", 8)
    village.grant("settlement", village.stranger)
    village.market.chain.send(village.stranger, rules, "markFinal", 1)
    village.relay(rules, "requireRoom", 9)


def test_reverts_when_the_storage_is_still_in_use(village: Village, rules: Contract) -> None:
    with refused("DayStillOpen", day=1, lastFinal=0):
        village.relay(rules, "requireRoom", 9)
