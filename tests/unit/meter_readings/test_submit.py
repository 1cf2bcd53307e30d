from support.refusals import described, refused
from support.signed import readings_sheet, registers
from support.village import CAPACITY, Member, Village, events, reject_reasons
from web3.contract import Contract


def test_takes_or_rejects_each_sheet_for_itself(
    village: Village, readings: Contract, buyer: Member, seller: Member, rival: Member, delivered: None
) -> None:
    sheets = [
        readings_sheet(village.market, buyer.wallet, registers([1] * 12)),
        readings_sheet(village.market, rival.wallet, registers([2 * CAPACITY + 1] * 12), sequence=8),
        readings_sheet(village.market, seller.wallet, registers([-1] * 12)),
    ]
    receipt = village.relay(readings, "submit", sheets)
    assert [event["id"] for event in events(receipt, readings, "ReadingsAccepted")] == [buyer.id, seller.id]
    [rejected] = events(receipt, readings, "ReadingsRejected")
    assert (rejected["meter"], rejected["day"], rejected["sequence"]) == (rival.meter, 1, 8)
    assert reject_reasons(receipt, village.market, readings, "ReadingsRejected") == [
        described("NothingPlausible", id=rival.id, firstStrip=0)
    ]
    assert readings.functions.netOf(1, rival.id, 1).call() == [[]]


def test_reverts_as_a_whole_while_the_day_is_settled_and_takes_it_again_afterwards(
    village: Village, readings: Contract, buyer: Member, seller: Member, delivered: None
) -> None:
    """No sheet is on record as rejected for a settlement, which is no reason that stays."""
    village.clear_day()
    village.close_unread()
    village.relay(village.market.settlement, "settle", 1, 2)
    sheets = [readings_sheet(village.market, m.wallet, registers([1] * 12)) for m in (buyer, seller)]
    with refused("DayBeingSettled", day=1):
        village.relay(readings, "submit", sheets)
    village.settle()
    receipt = village.relay(readings, "submit", sheets)
    assert [event["id"] for event in events(receipt, readings, "ReadingsAccepted")] == [buyer.id, seller.id]


def test_reverts_as_a_whole_when_the_gas_runs_out(
    village: Village, readings: Contract, buyer: Member, seller: Member, delivered: None
) -> None:
    sheets = [readings_sheet(village.market, m.wallet, registers([1] * 12)) for m in (buyer, seller)]
    enough = readings.functions.submit(sheets).estimate_gas({"from": village.market.keys["relayer"].address})
    with refused("ReadingBatchOutOfGas", index=1):
        village.send_with(enough - 60_000, "relayer", readings, "submit", sheets)
