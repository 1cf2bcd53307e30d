import pytest
from support.brokers import choose, mandate
from support.refusals import refused
from support.village import CAPACITY, NOBODY, Member, Village, events
from web3.contract import Contract

from dem.messages.members import Mandate
from dem.messages.signing import Domain, sign


def test_the_intermediary_has_its_share_from_the_first_day_on(
    village: Village, intermediaries: Contract, registry: Contract, buyer: Member, retailer: Member
) -> None:
    receipt = choose(village, buyer, retailer, share=3_333, first_day=2, sequence=7)
    assert events(receipt, intermediaries, "MandateGiven") == [
        {
            "client": buyer.id,
            "intermediary": retailer.id,
            "share": 3_333,
            "firstDay": 2,
            "replacedFrom": 1,
            "sequence": 7,
        }
    ]
    mandate_of = intermediaries.functions.mandateOf
    assert mandate_of(buyer.id, 1).call() == [0, 0]
    assert mandate_of(buyer.id, 2).call() == [retailer.id, 3_333]
    assert mandate_of(buyer.id, 60_000).call() == [retailer.id, 3_333]
    assert intermediaries.functions.lastSequence(buyer.id).call() == 7
    # The member's own part gains by the rounding.
    assert registry.functions.requireTrader(buyer.account, 1).call() == [buyer.id, CAPACITY, CAPACITY]
    assert registry.functions.requireTrader(buyer.account, 2).call() == [buyer.id, CAPACITY - 3_333, CAPACITY - 3_333]


def test_another_choice_applies_from_a_later_day_on(
    village: Village, intermediaries: Contract, buyer: Member, retailer: Member, aggregator: Member
) -> None:
    choose(village, buyer, retailer)
    village.open_auction()
    choose(village, buyer, aggregator, share=10_000, first_day=2, sequence=2)
    village.open_auction(2)
    choose(village, buyer, None, first_day=4, sequence=3)
    mandate_of = intermediaries.functions.mandateOf
    found = [mandate_of(buyer.id, day).call() for day in (1, 2, 3, 4)]
    assert found == [[retailer.id, 5_000], [aggregator.id, 10_000], [aggregator.id, 10_000], [0, 0]]


@pytest.mark.parametrize("first_day", [2, 3, 4])
def test_replaces_a_choice_that_has_not_begun(
    village: Village, intermediaries: Contract, buyer: Member, retailer: Member, first_day: int
) -> None:
    choose(village, buyer, retailer)
    village.open_auction()
    choose(village, buyer, retailer, share=1, first_day=3, sequence=2)
    choose(village, buyer, retailer, share=2, first_day=first_day, sequence=3)
    shares = [intermediaries.functions.mandateOf(buyer.id, day).call()[1] for day in (1, 2, 3, 4)]
    assert shares == [5_000 if day < first_day else 2 for day in (1, 2, 3, 4)]


def test_an_earlier_choice_than_the_first_divides_the_connection_earlier(
    village: Village, registry: Contract, buyer: Member, retailer: Member
) -> None:
    choose(village, buyer, retailer, first_day=5)
    choose(village, buyer, retailer, first_day=2, sequence=2)
    assert registry.functions.requireTrader(buyer.account, 1).call()[1] == CAPACITY
    assert registry.functions.requireTrader(buyer.account, 2).call()[1] == CAPACITY // 2


def test_reverts_when_signed_by_somebody_else(village: Village, buyer: Member, retailer: Member) -> None:
    with refused("NotSignedBy", account=buyer.account, signer=retailer.account):
        choose(village, buyer, retailer, key=retailer.wallet.account_key)


def test_reverts_when_the_client_is_an_intermediary(village: Village, retailer: Member, aggregator: Member) -> None:
    with refused("NotAClient", account=aggregator.account):
        choose(village, aggregator, retailer)


def test_reverts_when_the_client_is_suspended(
    village: Village, registry: Contract, buyer: Member, retailer: Member
) -> None:
    village.send("registrar", registry, "suspend", buyer.id)
    with refused("NotAClient", account=buyer.account):
        choose(village, buyer, retailer)


@pytest.mark.parametrize("is_suspended", [True, False])
def test_reverts_when_the_chosen_is_no_admitted_intermediary(
    village: Village, registry: Contract, buyer: Member, seller: Member, retailer: Member, is_suspended: bool
) -> None:
    chosen = retailer if is_suspended else seller
    if is_suspended:
        village.send("registrar", registry, "suspend", retailer.id)
    with refused("NotAnIntermediary", account=chosen.account):
        choose(village, buyer, chosen)


@pytest.mark.parametrize("share", [0, 10_001])
def test_reverts_when_the_share_is_out_of_range(village: Village, buyer: Member, retailer: Member, share: int) -> None:
    with refused("BadShare", share=share):
        choose(village, buyer, retailer, share=share)


def test_reverts_when_nobody_is_given_a_share(village: Village, intermediaries: Contract, buyer: Member) -> None:
    message = Mandate(buyer.account, NOBODY, 1, 1, 1)
    domain = Domain(village.market.chain.id, intermediaries.address)
    with refused("BadShare", share=1):
        fields = (buyer.account, NOBODY, 1, 1, 1)
        village.relay(intermediaries, "choose", fields, sign(domain, message, buyer.wallet.account_key))


@pytest.mark.parametrize("sequence", [4, 5])
def test_reverts_when_a_later_message_was_taken(
    village: Village, buyer: Member, retailer: Member, sequence: int
) -> None:
    choose(village, buyer, retailer, sequence=5)
    with refused("StaleMessage", id=buyer.id, sequence=sequence, last=5):
        choose(village, buyer, None, sequence=sequence)


def test_reverts_when_the_first_day_has_opened(village: Village, buyer: Member, retailer: Member) -> None:
    village.open_auction()
    with refused("TooLateToChoose", firstDay=1, earliest=2):
        choose(village, buyer, retailer)


def test_reverts_when_there_is_no_such_day(village: Village, buyer: Member, retailer: Member) -> None:
    with refused("NoSuchDay", day=65_536):
        choose(village, buyer, retailer, first_day=65_536)


def test_several_messages_come_in_one_transaction(
    village: Village, intermediaries: Contract, buyer: Member, seller: Member, retailer: Member
) -> None:
    encoded = [intermediaries.encode_abi("choose", args=mandate(village, m, retailer)) for m in (buyer, seller)]
    calls = [bytes.fromhex(call[2:]) for call in encoded]
    receipt = village.relay(intermediaries, "multicall", calls)
    assert [event["client"] for event in events(receipt, intermediaries, "MandateGiven")] == [buyer.id, seller.id]
