from ape.api import AccountAPI
from support.refusals import refused
from support.village import Member, Village, events
from web3.contract import Contract

SUN, WIND = 1, 2


def test_it_is_on_record_what_a_meters_feed_in_comes_from(village: Village, meters: Contract, seller: Member) -> None:
    receipt = village.send("registrar", meters, "noteSource", seller.id, seller.meter, SUN)
    today = max(0, village.now - village.calendar.opening) // village.calendar.day_length
    assert events(receipt, meters, "SourceNoted") == [
        {"id": seller.id, "meter": seller.meter, "source": SUN, "firstDay": today}
    ]
    village.send("registrar", meters, "noteSource", seller.id, seller.meter, WIND)
    assert meters.functions.sourceOf(seller.meter).call() == WIND


def test_reverts_for_a_meter_of_somebody_else(
    village: Village, meters: Contract, buyer: Member, seller: Member
) -> None:
    with refused("NotItsMeter", id=seller.id, meter=buyer.meter):
        village.send("registrar", meters, "noteSource", seller.id, buyer.meter, SUN)


def test_reverts_when_the_caller_is_no_registrar(
    village: Village, meters: Contract, seller: Member, stranger: AccountAPI
) -> None:
    with refused("AccessManagedUnauthorized", caller=stranger.address):
        village.market.chain.send(stranger, meters, "noteSource", seller.id, seller.meter, SUN)
