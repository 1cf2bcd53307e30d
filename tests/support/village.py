"""A market with a few members on the embedded chain, and the steps of its days in one line each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ape.api import AccountAPI
from web3.contract import Contract
from web3.logs import DISCARD
from web3.types import TxReceipt

from dem.chain.connection import Chain
from dem.community.keys import Wallet, wallet
from dem.deployment.market import ADMIN, RELAYER, Market, deploy, role_keys
from dem.deployment.plan import Government, Offices, Parameters
from dem.deployment.roles import ROLES
from dem.model.calendar import CalendarParameters
from dem.model.markets.auction import clear
from dem.model.orders import Order, orders_of
from dem.model.strips import LANES
from dem.replay.members import KINDS
from support.rules import SMALL

from .signed import application, orders_sheet, readings_sheet, registers

PERIOD = 900
PERIODS = 12
STRIPS = PERIODS // LANES
RULES = SMALL
FEES = RULES.platform_fee + RULES.network_fee
CEILING = RULES.max_buy + RULES.deviation_rate + FEES
"""What replacing energy may cost a seller at most, units/Wh."""
CAPACITY = 10_000
"""Of every connection, Wh per period."""
DEPOSIT = 10 * 10**8
CREDIT_LIMIT = 100 * 10**8
"""Of the fallback supplier and the grid operator."""

BALANCING_FUND, CLEARING_HOUSE, FALLBACK_SUPPLIER, OPERATOR, GRID_OPERATOR = range(1, 6)
CONSUMER, PROSUMER = KINDS.index("consumer"), KINDS.index("prosumer")
APPLIED, ADMITTED, SUSPENDED, EXITED = range(1, 5)
FOREVER = (1 << 32) - 1
BY_A_KEY = Government()
"""The admin's key stays in power."""
NOBODY = "0x" + "00" * 20


@dataclass(frozen=True)
class Member:
    """A member of the market: its number and its keys; `sender` where it sends transactions of its own."""

    id: int
    wallet: Wallet
    sender: AccountAPI | None = None

    @property
    def account(self) -> str:
        """Address of its account."""
        return self.wallet.account

    @property
    def meter(self) -> str:
        """Address of its meter."""
        return self.wallet.meter


class Village:
    """A deployed market and its members: a buyer, a seller and a rival, who buys as well."""

    def __init__(self, market: Market, offices: Mapping[str, Wallet], senders: Sequence[AccountAPI]) -> None:
        self.market = market
        self.calendar = market.calendar
        self.supplier = Member(FALLBACK_SUPPLIER, offices["supplier"])
        self.operator = Member(OPERATOR, offices["operator"])
        self.grid_operator = Member(GRID_OPERATOR, offices["grid operator"])
        self.buyer = Member(6, wallet_of(senders[0], "buyer"), senders[0])
        self.seller = Member(7, wallet_of(senders[1], "seller"), senders[1])
        self.rival = Member(8, wallet("village", 1, "rival"))
        self.stranger, self.spare = senders[2:]
        self._admit(self.buyer, self.seller, self.rival)

    @property
    def members(self) -> tuple[Member, ...]:
        """Those with a meter of their own."""
        return self.buyer, self.seller, self.rival

    def _admit(self, *members: Member) -> None:
        m = self.market
        kinds = [PROSUMER if member is self.seller else CONSUMER for member in members]
        applications = [application(m, member.wallet, kind) for member, kind in zip(members, kinds, strict=True)]
        m.chain.send_many(m.keys[RELAYER], m.registry, [("applyFor", signed) for signed in applications])
        m.chain.send_many(m.keys["registrar"], m.registry, [("admit", self.waiting(each.account)) for each in members])
        deposits = [("deposit", (member.account, DEPOSIT, bytes([member.id] * 32))) for member in members]
        m.chain.send_many(m.keys["treasurer"], m.accounts, deposits)
        limits = [("setCreditLimit", (id_, CREDIT_LIMIT)) for id_ in (FALLBACK_SUPPLIER, GRID_OPERATOR)]
        m.chain.send_many(m.keys["council"], m.accounts, limits)

    # ---------------------------------------------------------------------------------------------- the chain

    def relay(self, contract: Contract, function: str, *arguments: Any) -> TxReceipt:
        """What anybody may bring."""
        return self.send("relayer", contract, function, *arguments)

    def send(self, role: str, contract: Contract, function: str, *arguments: Any) -> TxReceipt:
        """A transaction of whoever holds a role."""
        return self.market.chain.send(self.market.keys[role], contract, function, *arguments)

    def send_with(self, gas: int, role: str, contract: Contract, function: str, *arguments: Any) -> None:
        """As `send`, with so much gas and no more."""
        chain = self.market.chain
        [(_, refusal)] = chain.send_all(
            self.market.keys[role], [chain.transaction(contract, function, *arguments, gas=gas)]
        )
        if refusal is not None:
            raise refusal

    def waiting(self, account: str) -> tuple[str, bytes]:
        """What an account is admitted by: its address and the application that waits."""
        return account, self.market.registry.functions.applicationOf(account).call()

    def admit(self, account: str) -> TxReceipt:
        """The registrar admits whoever has applied."""
        return self.send("registrar", self.market.registry, "admit", *self.waiting(account))

    def unpause(self, contract: Contract, *arguments: Any) -> TxReceipt:
        """As the council does at once, by an account that has its role."""
        self.grant("reopening", self.spare)
        return self.market.chain.send(self.spare, contract, "unpause", *arguments)

    def grant(self, role: str, account: AccountAPI) -> None:
        """Give an account a role that otherwise a contract holds."""
        number = next(r.id for r in ROLES if r.name == role)
        self.send(ADMIN, self.market.authority, "grantRole", number, account.address, 0)

    @property
    def now(self) -> int:
        """Time of the newest block, at which a refusal is judged."""
        return self.market.chain.now()

    @property
    def first_unopened(self) -> int:
        """The first day whose auction has not opened."""
        return max(0, self.now + self.calendar.open_lead - self.calendar.opening) // self.calendar.day_length + 2

    def wait_until(self, time: int) -> None:
        """Set the chain's clock."""
        self.market.chain.wait_until(time)

    def account(self, member: Member | int) -> tuple[int, int, int, int]:
        """Free, locked, arrears and credit limit, money units."""
        id_ = member if isinstance(member, int) else member.id
        return tuple(self.market.accounts.functions.accountOf(id_).call())

    def free(self, member: Member | int) -> int:
        """Free money, money units."""
        return self.account(member)[0]

    def locked(self, member: Member | int) -> int:
        """Collateral, money units."""
        return self.account(member)[1]

    # ----------------------------------------------------------------------------------------------- the days

    def open_auction(self, day: int = 1) -> None:
        """Orders for the day are taken from now on."""
        self.wait_until(self.calendar.opens_at(day))

    def place(self, member: Member, *orders: Order, day: int = 1, sequence: int = 1) -> TxReceipt:
        """A member's orders, while the auction is open."""
        signed = orders_sheet(self.market, member.wallet, *orders, day=day, sequence=sequence)
        return self.relay(self.market.auction, "enter", signed)

    def pivots(self, strip: int, day: int = 1) -> list[int]:
        """What the reference model finds for the book as it stands."""
        auction = self.market.auction.functions
        reader = self.market.contract("AuctionReader").functions
        book: list[Order] = []
        for member in self.members:
            for layer in range(auction.sheetOf(member.id, day).call()[1]):
                line = layer * STRIPS + strip
                word = int.from_bytes(reader.lineOf(member.id, day, line).call(), "big")
                book += orders_of(member.id, day, line, word, PERIODS)
        slots = range(strip * LANES, (strip + 1) * LANES)
        return [clear([order for order in book if order.slot == slot]).pivot for slot in slots]

    def clear_strip(self, strip: int, day: int = 1) -> TxReceipt:
        """One strip of the day, after the gate."""
        return self.relay(self.market.auction, "clear", day, strip, self.pivots(strip, day), RULES.max_layers)

    def clear_day(self, day: int = 1) -> None:
        """All strips, at the gate."""
        self.wait_until(self.calendar.gate_closes_at(day))
        for strip in range(STRIPS):
            self.clear_strip(strip, day)

    def read(
        self,
        member: Member,
        net: Sequence[int],
        day: int = 1,
        first_strip: int = 0,
        sequence: int = 1,
        imported: int = 0,
        exported: int = 0,
    ) -> TxReceipt:
        """A meter's net energy by period, its registers beginning where told."""
        data = registers(net, imported, exported)
        signed = readings_sheet(self.market, member.wallet, data, day, first_strip, sequence)
        return self.relay(self.market.readings, "enter", signed)

    def close_metering(self, day: int = 1) -> TxReceipt:
        """At the deadline, everybody at once; whose meter has not been read that day has used nothing.

        Once corrections are closed nobody is read any more: then the idle are estimated.
        """
        self.wait_until(self.calendar.metering_deadline(day))
        can_read = self.now < self.calendar.corrections_close_at(day)
        for member in self.members if can_read else ():
            net = self.market.readings.functions.netOf(day, member.id, 1).call()
            account = self.market.registry.functions.member(member.id).call()
            if net == [[]] and account[4] == member.meter and account[5] <= day <= account[6]:
                imported, exported = self.market.readings.functions.meterOf(member.id, member.meter).call()[:2]
                self.read(member, [0] * self.calendar.periods_per_day, day, imported=imported, exported=exported)
        return self.close_unread(day)

    def close_unread(self, day: int = 1) -> TxReceipt:
        """At the deadline, everybody at once, with estimates for whoever is not read."""
        self.wait_until(self.calendar.metering_deadline(day))
        return self.relay(self.market.readings, "close", day, 100)

    def settle(self, day: int = 1) -> TxReceipt:
        """Everybody at once."""
        return self.relay(self.market.settlement, "settle", day, 100)


def events(receipt: TxReceipt, contract: Contract, name: str) -> list[dict[str, Any]]:
    """Arguments of the events of that name in a transaction."""
    return [dict(event["args"]) for event in contract.events[name]().process_receipt(receipt, errors=DISCARD)]


def reject_reasons(receipt: TxReceipt, market: Market, contract: Contract, name: str) -> list[str]:
    """Why the sheets of a batch were refused, in words."""
    return [market.chain.artifacts.describe(bytes(event["reason"])) for event in events(receipt, contract, name)]


def found_village(folder: Path, government: Government = BY_A_KEY) -> Village:
    """Deploy a market whose first auction opens in an hour, and admit its members."""
    chain = Chain.connected()
    keys = role_keys(chain, None)
    offices = {name: wallet("village", 1, name) for name in ("supplier", "operator", "grid operator")}
    parameters = Parameters(
        admin=keys[ADMIN].address,
        calendar=calendar_from(chain.now()),
        rules=RULES,
        offices=Offices(
            supplier=offices["supplier"].account,
            operator=offices["operator"].account,
            grid_operator=offices["grid operator"].account,
            boundary_meter=offices["grid operator"].meter,
        ),
        government=government,
    )
    market = deploy(chain, keys, parameters, folder / "manifest.json")
    senders = list(islice(chain.accounts(None), len(keys), len(keys) + 4))
    return Village(market, offices, senders)


def calendar_from(now: int) -> CalendarParameters:
    """Days of two strips. The auction opens a day ahead and closes an hour ahead; readings are due half an hour after
    the day and may be corrected for two hours."""
    day = PERIOD * PERIODS
    return CalendarParameters(
        opening=-(-(now + day + 3_600) // PERIOD) * PERIOD,
        period_length=PERIOD,
        periods_per_day=PERIODS,
        open_lead=day,
        gate_lead=3_600,
        metering_lag=1_800,
        correction_lag=7_200,
    )


def wallet_of(account: AccountAPI, name: str) -> Wallet:
    """A wallet whose account key is one that can pay for transactions."""
    key = bytes.fromhex(account.private_key.removeprefix("0x"))
    return Wallet(name, key, wallet("village", 1, name).meter_key)
