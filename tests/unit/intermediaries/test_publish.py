from dataclasses import replace

import pytest
from support.brokers import publish
from support.refusals import refused
from support.village import RULES, Member, Village, events
from web3.contract import Contract

from dem.deployment.plan import rules_tuple


def test_applies_from_its_first_day_on(village: Village, intermediaries: Contract, retailer: Member) -> None:
    receipt = publish(village, retailer, 120, first_day=3, sequence=4)
    assert events(receipt, intermediaries, "CommissionPublished") == [
        {"intermediary": retailer.id, "perWh": 120, "firstDay": 3, "replacedFrom": 2, "sequence": 4}
    ]
    assert [intermediaries.functions.commissionOf(retailer.id, day).call() for day in (2, 3, 99)] == [0, 120, 120]


def test_replaces_what_clients_could_still_leave_for(
    village: Village, intermediaries: Contract, retailer: Member
) -> None:
    publish(village, retailer, 100, first_day=2)
    village.open_auction()
    publish(village, retailer, 200, first_day=5, sequence=2)
    publish(village, retailer, 300, first_day=4, sequence=3)
    found = [intermediaries.functions.commissionOf(retailer.id, day).call() for day in (1, 2, 3, 4, 5)]
    assert found == [0, 100, 100, 300, 300]


def test_is_never_above_the_cap_of_the_day(
    village: Village, intermediaries: Contract, rules: Contract, retailer: Member
) -> None:
    publish(village, retailer, RULES.commission_cap)
    village.send("council", rules, "announce", 3, rules_tuple(replace(RULES, commission_cap=70)))
    assert [intermediaries.functions.commissionOf(retailer.id, day).call() for day in (2, 3)] == [500, 70]


def test_reverts_above_the_cap(village: Village, retailer: Member) -> None:
    with refused("CommissionTooHigh", perWh=501, cap=500):
        publish(village, retailer, 501)


def test_reverts_when_clients_could_not_choose_otherwise(village: Village, retailer: Member) -> None:
    with refused("TooLateToPublish", firstDay=1, earliest=2):
        publish(village, retailer, 100, first_day=1)
    village.open_auction()
    with refused("TooLateToPublish", firstDay=2, earliest=3):
        publish(village, retailer, 100, first_day=2)


def test_reverts_when_signed_by_somebody_else(village: Village, buyer: Member, retailer: Member) -> None:
    with refused("NotSignedBy", account=retailer.account, signer=buyer.account):
        publish(village, retailer, 100, key=buyer.wallet.account_key)


def test_reverts_when_it_is_no_intermediary(village: Village, buyer: Member) -> None:
    with refused("NotAnIntermediary", account=buyer.account):
        publish(village, buyer, 100)


@pytest.mark.parametrize("sequence", [4, 5])
def test_reverts_when_a_later_message_was_taken(village: Village, retailer: Member, sequence: int) -> None:
    publish(village, retailer, 100, sequence=5)
    with refused("StaleMessage", id=retailer.id, sequence=sequence, last=5):
        publish(village, retailer, 90, sequence=sequence)


def test_reverts_when_there_is_no_such_day(village: Village, retailer: Member) -> None:
    with refused("NoSuchDay", day=65_536):
        publish(village, retailer, 100, first_day=65_536)
