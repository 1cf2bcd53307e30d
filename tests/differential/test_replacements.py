"""A member that has lost its key goes on under another account (rule 2.5): who decides, and what is carried over."""

import pytest
from support.evm.chain import NOBODY, Refused
from support.evm.keys import Key, digest, key, struct
from support.evm.market import GRID_OPERATOR, ROLE_KEYS, STRANGER, Market
from support.evm.people import Person, application, readings, register, sign_readings, sign_sheet, withdrawal
from support.rules import CALENDAR, SMALL

from dem.messages.members import Ballot, Opening, Replacement, Veto
from dem.messages.orders import OrderSheet
from dem.model.orders import Order, Side, lines_of

WAIT = 7 * CALENDAR.day_length
PLENTY = 10**12
NEW, OTHER = key(900), key(901)
CONTRACT = "Replacements"
DAY = 86_400
COUNT, OVER = CALENDAR.opening + 28 * DAY, CALENDAR.opening + 35 * DAY
"""Of the first election."""


class Village:
    """A market with three members; the first one has lost its key."""

    def __init__(self) -> None:
        self.market = market = Market(CALENDAR, SMALL, CALENDAR.opening - 2 * WAIT)
        self.members = [Person.numbered(n, import_capacity=10_000, export_capacity=10_000) for n in range(3)]
        for n, member in enumerate(self.members):
            register(market, member)
            market.act("Accounts.deposit", member.account.address, PLENTY, bytes([n + 1] * 32))
        market.act("Schedule.addMarket", market.contracts["ContinuousMarket"].address, 1)
        self.first = self.members[0]
        self.old = self.first.account

    def announce(self, new: Key = NEW, signer: Key | None = None, replaced: Key | None = None) -> None:
        message = Replacement(self.first.id, (replaced or self.first.account).address, new.address)
        signature = (signer or new).sign(self.market.domain(CONTRACT), message)
        self.market.act(f"{CONTRACT}.announce", self.first.id, new.address, signature)

    def carry_out(self) -> None:
        self.market.act(f"{CONTRACT}.carryOut", self.first.id)
        self.first.account = NEW

    def replace(self) -> None:
        self.announce()
        self.market.now += WAIT
        self.carry_out()

    def veto(self, new: Key = NEW, signer: Key | None = None) -> None:
        message = Veto(self.first.id, new.address)
        signature = (signer or self.old).sign(self.market.domain(CONTRACT), message)
        self.market.act(f"{CONTRACT}.vetoSigned", struct(message), signature)

    def sheet(self, person: Person):
        [(line, word)] = lines_of([Order(1, 0, 0, Side.BID, 100, 500)], 1, 12).items()
        message = OrderSheet(person.account.address, 1, line, person.next_sequence(), (word,))
        return sign_sheet(self.market, message, person.account)


@pytest.fixture
def village() -> Village:
    return Village()


def refused(error: str):
    return pytest.raises(Refused, match=error)


# --------------------------------------------------------------------------------------------------- who decides


def test_anybody_carries_it_out_after_seven_days(village):
    village.announce()
    village.market.now += WAIT - 1
    with refused("NotDueYet"):
        village.carry_out()
    village.market.now += 1
    village.carry_out()
    registry = "ParticipantRegistry"
    assert village.market.call(registry, "idOf", NEW.address) == village.first.id
    assert village.market.call(registry, "idOf", village.old.address) == 0
    assert village.market.call(registry, "numberOf", village.old.address) == village.first.id
    assert village.market.replay.members[village.first.id].account == NEW.address
    with refused("NotAnnounced"):
        village.market.act(f"{CONTRACT}.carryOut", village.first.id)


def test_the_new_account_agrees(village):
    with refused("NotSignedBy"):
        village.announce(signer=STRANGER)
    with refused("NotSignedBy"):
        village.announce(replaced=OTHER)


@pytest.mark.parametrize("how", ["transaction", "message"])
def test_the_old_key_vetoes(village, how):
    village.announce()
    if how == "message":
        village.veto()
    else:
        village.market.act(f"{CONTRACT}.veto", village.first.id, by=village.old)
    village.market.now += 10 * WAIT
    with refused("NotDueYet"):
        village.carry_out()


def test_nobody_else_vetoes(village):
    village.announce()
    with refused("NotItsAccount"):
        village.market.act(f"{CONTRACT}.veto", village.first.id, by=village.members[1].account)
    with refused("NotSignedBy"):
        village.veto(signer=village.members[1].account)
    with refused("NotAnnounced"):
        village.veto(OTHER)


def test_after_a_veto_the_registrar_alone_gets_nowhere(village):
    village.announce()
    village.veto()
    for new in (NEW, OTHER):
        village.announce(new)
        village.market.now += 2 * WAIT
        with refused("NotDueYet"):
            village.carry_out()


def test_a_thief_does_not_veto_for_ever(village):
    village.announce()
    village.veto()
    village.market.act(f"{CONTRACT}.allow", village.first.id, NEW.address)
    with refused("NoVeto"):
        village.veto()
    village.market.now += WAIT - 1
    with refused("NotDueYet"):
        village.carry_out()
    village.market.now += 1
    village.carry_out()


def test_the_council_decides_only_after_a_veto_and_on_what_was_announced(village):
    with refused("NotAnnounced"):
        village.market.act(f"{CONTRACT}.allow", village.first.id, NEW.address)
    village.announce()
    with refused("NotVetoed"):
        village.market.act(f"{CONTRACT}.allow", village.first.id, NEW.address)
    village.veto()
    with refused("NotAnnounced"):
        village.market.act(f"{CONTRACT}.allow", village.first.id, OTHER.address)


def test_the_new_account_is_nobodys(village):
    for new in (village.members[1].account, village.first.meter):
        village.announce(new)
        village.market.now += WAIT
        with refused("KeyUnusable"):
            village.carry_out()
    applicant = Person(NEW, key(902))
    village.market.act("ParticipantRegistry.applyFor", *application(village.market, applicant))
    village.announce()
    village.market.now += WAIT
    with refused("KeyUnusable"):
        village.carry_out()


def test_nobody_is_admitted_under_a_lost_account(village):
    village.replace()
    with refused("KeyUnusable"):
        register(village.market, Person(village.old, key(903)))
    village.first.account = NEW
    village.announce(village.old, replaced=NEW)
    village.market.now += WAIT
    with refused("KeyUnusable"):
        village.carry_out()


def test_the_markets_own_members_without_a_key_have_none_to_lose(village):
    signature = NEW.sign(village.market.domain(CONTRACT), Replacement(1, NOBODY, NEW.address))
    with refused("NoKeyToLose"):
        village.market.act(f"{CONTRACT}.announce", 1, NEW.address, signature)


# ----------------------------------------------------------------------------------------- what is carried over


def test_money_stays_and_what_the_old_key_signed_is_void(village):
    market, first = village.market, village.first
    before = market.account(first.id)
    by_old = withdrawal(market, first, 1_000, to_bank=False)
    village.replace()
    assert market.account(first.id) == before
    with refused("UnknownAccountOwner"):
        market.act("Accounts.withdraw", *by_old)
    market.act("Accounts.withdraw", *withdrawal(market, first, 1_000, to_bank=False))
    assert market.call("SettlementToken", "balanceOf", NEW.address) == 1_000


def test_tokens_in_the_lost_wallet_stay_there_until_its_key_is_found(village):
    market, first, tokens = village.market, village.first, "SettlementToken"
    market.act("Accounts.withdraw", *withdrawal(market, first, 1_000, to_bank=False))
    village.replace()
    assert market.call(tokens, "balanceOf", village.old.address) == 1_000
    with refused("NotRegistered"):
        market.act(f"{tokens}.transfer", village.old.address, 1, by=village.members[1].account)
    with refused("UnknownAccountOwner"):
        market.act("Accounts.depositTokens", 1_000, by=village.old)
    market.act(f"{tokens}.transfer", NEW.address, 1_000, by=village.old)
    assert market.call(tokens, "balanceOf", NEW.address) == 1_000


def test_orders_stay_and_the_meter_reads_on(village):
    market, first = village.market, village.first
    village.announce()
    market.now = CALENDAR.opens_at(1)
    market.act("CallAuction.enter", village.sheet(first))
    late = village.sheet(first)
    village.carry_out()
    with refused("UnknownAccount"):
        market.act("CallAuction.enter", late)
    sequence, layers, _ = market.call("CallAuction", "sheetOf", first.id, 1)
    assert (sequence, layers) == (1, 1)
    first.sequence = 0
    with refused("StaleSheet"):
        market.act("CallAuction.enter", village.sheet(first))
    first.sequence = 5
    market.act("CallAuction.enter", village.sheet(first))
    market.now = CALENDAR.start_of(2)
    market.act("MeterReadings.enter", sign_readings(market, readings(market, first, 1, 0, [5] * 12), first.meter))


def test_intraday_accounts_move(village):
    market, first, intraday = village.market, village.first, "ContinuousMarket"
    village.announce()
    market.now = CALENDAR.gate_closes_at(1)
    market.act(f"{intraday}.fund", 1, 10**9, by=village.old)
    (placed,) = market.act(f"{intraday}.place", 1, 11, False, 100, 500, 0, by=village.old)
    village.carry_out()
    for function, arguments in (("cancel", (1, placed.args["number"])), ("defund", (1, 1))):
        with refused("NotFunded"):
            market.act(f"{intraday}.{function}", *arguments, by=village.old)
    with refused("UnknownAccount"):
        market.act(f"{intraday}.fund", 1, 1, by=village.old)
    market.act(f"{intraday}.cancel", 1, placed.args["number"], by=NEW)
    market.act(f"{intraday}.defund", 1, 10**9, by=NEW)
    assert market.account(first.id).locked == 0


def test_a_resting_order_trades_for_the_new_account(village):
    market, first, intraday = village.market, village.first, "ContinuousMarket"
    village.announce()
    market.now = CALENDAR.gate_closes_at(1)
    for account in (village.old, village.members[1].account):
        market.act(f"{intraday}.fund", 1, 10**10, by=account)
    market.act(f"{intraday}.place", 1, 11, False, 100, 500, 0, by=village.old)
    village.carry_out()
    market.act(f"{intraday}.place", 1, 11, True, 100, 500, 10, by=village.members[1].account)
    assert market.call(intraday, "accountOf", first.id, 1)[2] != 0


def test_a_suspended_member_stays_suspended(village):
    market = village.market
    market.act("ParticipantRegistry.suspend", village.first.id)
    village.replace()
    market.now = CALENDAR.opens_at(1)
    with refused("WrongStatus"):
        market.act("CallAuction.enter", village.sheet(village.first))


# ------------------------------------------------------------------------------------------ votes and the council


def test_nominations_votes_and_seats_go_with_the_number(village):
    market, elections = village.market, "Elections"
    first, second, third = village.members
    domain = market.domain(elections)
    before, after = village.old.address, NEW.address

    def cast(said: Opening, by: Key) -> None:
        market.act(f"{elections}.vote", 1, digest(domain, said), said.sequence, by=by)

    market.now = CALENDAR.opening
    for member in (first, second):
        market.act(f"{elections}.nominate", 1, by=member.account)
    market.now = COUNT - 10 * DAY
    kept = Opening(1, second.id, before, bytes(32), 1)
    own = Opening(1, first.id, second.account.address, bytes(32), 1)
    cast(kept, second.account)
    cast(own, village.old)
    late = Ballot(before, 1, digest(domain, own), 2)
    by_old = village.old.sign(domain, late)
    village.replace()
    with refused("NotAParticipant"):
        market.act(f"{elections}.voteSigned", struct(late), by_old)
    # The new key takes the place of what the old one has cast.
    anew = Opening(1, first.id, after, bytes([1] * 32), 2)
    cast(anew, NEW)
    other = Opening(1, third.id, after, bytes(32), 1)
    cast(other, third.account)
    market.now = COUNT
    with refused("NotCommitted"):
        market.act(f"{elections}.open", struct(own))
    for said in (kept, anew, other):
        [opened] = market.act(f"{elections}.open", struct(said))
        assert opened.args["nominee"] == before, "as it was nominated"
    market.now = OVER
    events = market.act(f"{elections}.conclude", 1)
    [concluded] = [event for event in events if event.name == "Concluded"]
    assert list(concluded.args["elected"]) == [one.address.lower() for one in (NEW, second.account)]


def test_what_a_lost_key_has_cast_is_opened(village):
    market, elections = village.market, "Elections"
    market.now = CALENDAR.opening
    market.act(f"{elections}.nominate", 1, by=village.old)
    market.now = COUNT - DAY
    said = Opening(1, village.first.id, village.old.address, bytes(32), 1)
    market.act(f"{elections}.vote", 1, digest(market.domain(elections), said), 1, by=village.old)
    village.replace()
    market.now = COUNT
    [opened] = market.act(f"{elections}.open", struct(said))
    assert opened.args["id"] == village.first.id


def test_a_representatives_seat_moves_with_a_number_of_its_own(village):
    market, elections = village.market, "Elections"
    market.now = CALENDAR.opening
    market.act(f"{elections}.nominate", 1, by=village.old)
    market.now = OVER
    market.act(f"{elections}.conclude", 1)
    with refused("StillItsAccount"):
        market.act(f"{elections}.moveSeat", village.old.address)
    village.replace()
    [(holder, _, number, _)] = market.call("Council", "seats")
    assert holder == village.old.address.lower()
    market.act(f"{elections}.moveSeat", village.old.address, by=STRANGER)
    [(holder, is_elected, moved, _)] = market.call("Council", "seats")
    assert (holder, is_elected) == (NEW.address.lower(), True)
    assert moved == number + 1, "what the lost key has approved would still count"


def test_a_pause_that_was_taken_stays_taken(village):
    market, elections = village.market, "Elections"
    market.now = CALENDAR.opening
    market.act(f"{elections}.nominate", 1, by=village.old)
    market.now = OVER
    market.act(f"{elections}.conclude", 1)
    market.act("Council.takePause", village.old.address, by=ROLE_KEYS["council"])
    village.replace()
    market.act(f"{elections}.moveSeat", village.old.address)
    for account in (village.old, NEW):
        with refused("AccessManagedUnauthorized"):
            market.act("Accounts.pauseAll", by=account)


def test_who_has_left_loses_the_seat_under_either_account(village):
    market, elections = village.market, "Elections"
    market.now = CALENDAR.opening
    market.act(f"{elections}.nominate", 1, by=village.old)
    market.now = OVER
    market.act(f"{elections}.conclude", 1)
    village.replace()
    market.act("ParticipantRegistry.exit", village.first.id)
    market.act(f"{elections}.vacate", village.old.address)
    assert list(market.call("Council", "seats")) == []


def test_the_grid_operator_loses_a_key(village):
    market = village.market
    message = Replacement(5, GRID_OPERATOR.address, NEW.address)
    market.act(f"{CONTRACT}.announce", 5, NEW.address, NEW.sign(market.domain(CONTRACT), message))
    market.now += WAIT
    market.act(f"{CONTRACT}.carryOut", 5)
    assert market.call("ParticipantRegistry", "member", 5)[0] == NEW.address.lower()
