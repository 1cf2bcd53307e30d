"""What is to be paid out by a bank: orders in a folder, each with a file for the bank (ISO 20022, pain.001).

An order is written whole and once, and never changes: what it holds was ordered. That it was paid is noted beside it.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from dem.chain.accounts import write_secret
from dem.errors import InputError
from dem.model.units import Money, currency

_SCHEMA = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
_MARK = 24
"""Digits of a hash in the names that banks tell orders and payments apart by; they have 35 letters at most."""
_EURO = "EUR"


@dataclass(frozen=True, slots=True)
class BankAccount:
    """Whose it is, as the bank has it, and its IBAN."""

    name: str
    iban: str


@dataclass(frozen=True, slots=True)
class Payout:
    """One payment. reference: on the chain. account: the member's there."""

    reference: str
    participant: int
    account: str
    name: str
    iban: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Order:
    """Payments that a bank is told of together. paid_on: day on which it paid; None: nobody has noted that."""

    number: int
    made_at: str
    payouts: Sequence[Payout]
    paid_on: str | None = None

    @property
    def amount(self) -> Money:
        """Of all of them."""
        return Money(sum(payout.amount for payout in self.payouts))


class Outbox:
    """The folder. payer: whose money it is. One service writes orders, people note what was paid."""

    def __init__(
        self,
        folder: Path,
        payer: BankAccount | None = None,
        money: str = _EURO,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._folder, self._payer, self._money, self._clock = folder, payer, money, clock

    def orders(self) -> list[Order]:
        """All of them, in their order."""
        return [self._read(path) for path in sorted(self._folder.glob("??????.json"))]

    def references(self) -> set[str]:
        """Of everything that was ordered."""
        return {payout.reference for order in self.orders() for payout in order.payouts}

    def add(self, payouts: Sequence[Payout]) -> Order:
        """Order payments, and write the bank's file.

        Raises:
            InputError: one of them was ordered, or somebody else writes here.
        """
        known = self.references()
        for payout in payouts:
            if payout.reference in known:
                raise InputError(str(self._folder), payout.reference, "was ordered before")
        number = len(self.orders()) + 1
        order = Order(number, f"{self._clock():%Y-%m-%dT%H:%M:%SZ}", payouts)
        record = {"made_at": order.made_at, "payouts": [asdict(payout) for payout in payouts]}
        self._create(self._path(number, "json"), json.dumps(record, indent=1, ensure_ascii=False) + "\n")
        self.complete()
        return order

    def ask(self, reference: str) -> None:
        """Note that a member's money is about to be burned so that its bank is paid."""
        write_secret(self._folder / "asked" / reference, "")

    def asked(self) -> set[str]:
        """References of all for which that was noted. What is burned otherwise is not for here."""
        return {path.name for path in (self._folder / "asked").glob("0x*") if path.suffix != ".tmp"}

    def complete(self) -> None:
        """Write the bank's files that are missing: who was killed between the two left an order without."""
        for order in self.orders():
            path = self._path(order.number, "xml")
            if not path.exists() and self._payer is not None:
                write_secret(path, pain_001(order, self._payer, self._money))

    def note_paid(self, number: int, day: date) -> None:
        """Note that the bank has paid an order.

        Raises:
            InputError: there is no such order, or it is noted already.
        """
        order = next((one for one in self.orders() if one.number == number), None)
        if order is None:
            raise InputError(str(self._folder), number, "is no order here: `outbox list` prints them")
        if order.paid_on is not None:
            raise InputError(str(self._folder), number, f"was paid on {order.paid_on}, as is noted already")
        record = {"paid_on": f"{day:%Y-%m-%d}", "noted_at": f"{self._clock():%Y-%m-%dT%H:%M:%SZ}"}
        self._create(self._path(number, "paid.json"), json.dumps(record) + "\n")

    def _path(self, number: int, kind: str) -> Path:
        return self._folder / f"{number:06}.{kind}"

    def _read(self, path: Path) -> Order:
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            number = int(path.stem)
            paid = self._path(number, "paid.json")
            paid_on = json.loads(paid.read_text(encoding="utf-8"))["paid_on"] if paid.exists() else None
            return Order(number, record["made_at"], [Payout(**one) for one in record["payouts"]], paid_on)
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise InputError(str(path), None, f"is no order: {error}") from error

    def _create(self, path: Path, text: str) -> None:
        """A file that was not there, whole or not at all; nobody's is overwritten."""
        draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
        write_secret(draft, text)
        try:
            os.link(draft, path)
        except FileExistsError:
            raise InputError(str(path), None, "somebody else has just written it: let one service do so") from None
        finally:
            draft.unlink()


def is_iban(text: str) -> bool:
    """Whether letters and digits are an IBAN by its check digits (ISO 13616)."""
    if not (
        15 <= len(text) <= 34 and text.isascii() and text.isalnum() and text[:2].isalpha() and text == text.upper()
    ):
        return False
    return int("".join(str(int(letter, 36)) for letter in text[4:] + text[:4])) % 97 == 1


def pain_001(order: Order, payer: BankAccount, money: str) -> str:
    """The order as banks take it. The same payments have the same name, so that a bank refuses them a second time."""
    references = "".join(payout.reference for payout in order.payouts)
    name = f"DEM-{sha256(references.encode()).hexdigest()[:_MARK]}"
    document = ElementTree.Element("Document", xmlns=_SCHEMA)
    start = ElementTree.SubElement(document, "CstmrCdtTrfInitn")
    count, total = str(len(order.payouts)), currency(order.amount)
    sums = {"NbOfTxs": count, "CtrlSum": total}
    _add(start, {"GrpHdr": {"MsgId": name, "CreDtTm": order.made_at, **sums, "InitgPty": {"Nm": payer.name}}})
    # Banks in the euro area take euros by SEPA, at shared charges.
    service, charges = ({"PmtTpInf": {"SvcLvl": {"Cd": "SEPA"}}}, "SLEV") if money == _EURO else ({}, "SHAR")
    paid = ElementTree.SubElement(start, "PmtInf")
    _add(
        paid,
        {
            "PmtInfId": name,
            "PmtMtd": "TRF",
            **sums,
            **service,
            "ReqdExctnDt": {"Dt": order.made_at[:10]},
            "Dbtr": {"Nm": payer.name},
            "DbtrAcct": {"Id": {"IBAN": payer.iban}},
            "DbtrAgt": {"FinInstnId": {"Othr": {"Id": "NOTPROVIDED"}}},
            "ChrgBr": charges,
        },
    )
    for payout in order.payouts:
        one = ElementTree.SubElement(paid, "CdtTrfTxInf")
        _add(one, {"PmtId": {"EndToEndId": f"DEM-{payout.reference[2 : 2 + _MARK]}"}})
        amount = ElementTree.SubElement(ElementTree.SubElement(one, "Amt"), "InstdAmt", Ccy=money)
        amount.text = currency(payout.amount)
        _add(
            one,
            {
                "Cdtr": {"Nm": payout.name},
                "CdtrAcct": {"Id": {"IBAN": payout.iban}},
                "RmtInf": {"Ustrd": f"Electricity market, member {payout.participant}"},
            },
        )
    ElementTree.indent(document)
    return ElementTree.tostring(document, encoding="unicode", xml_declaration=True) + "\n"


def _add(parent: ElementTree.Element, record: dict[str, Any]) -> None:
    for name, value in record.items():
        child = ElementTree.SubElement(parent, name)
        if isinstance(value, dict):
            _add(child, value)
        else:
            child.text = value
