import pytest
from support.refusals import refused
from support.signed import bid
from support.village import Village, events
from web3.contract import Contract

LATEST = (1 << 40) - 1


def test_the_council_confirms_a_pause_beyond_a_gate(village: Village, ledger: Contract, auction: Contract) -> None:
    village.open_auction()
    village.send("node", ledger, "pause", auction.address)
    until = village.calendar.opens_at(3) + 5
    receipt = village.send("council", ledger, "keepPaused", auction.address, until)
    by = village.market.keys["council"].address
    assert events(receipt, ledger, "MarketPaused") == [{"market": auction.address, "by": by, "until": until}]
    village.wait_until(village.calendar.gate_closes_at(1) - 2)
    with refused("MarketIsPaused", market=auction.address):
        village.place(village.buyer, bid(0, 200, 1_000))
    village.wait_until(until)
    village.place(village.buyer, bid(0, 200, 1_000), day=3)


def test_the_council_pauses_by_itself_and_shortens_its_pause(
    village: Village, ledger: Contract, auction: Contract
) -> None:
    village.open_auction()
    village.send("council", ledger, "keepPaused", auction.address, village.now + 1_000)
    village.send("council", ledger, "keepPaused", auction.address, village.now + 10)
    village.wait_until(village.now + 10)
    village.place(village.buyer, bid(0, 200, 1_000))


@pytest.mark.parametrize("until", [0, 1_000, LATEST + 1])
def test_reverts_when_the_time_is_past_or_none(
    village: Village, ledger: Contract, auction: Contract, until: int
) -> None:
    with refused("PauseOutOfRange", until=until, latest=LATEST):
        village.send("council", ledger, "keepPaused", auction.address, until)
    village.send("council", ledger, "keepPaused", auction.address, LATEST)
    assert ledger.functions.pausedUntil(auction.address).call() == LATEST
