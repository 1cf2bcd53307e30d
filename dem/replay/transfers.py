"""Money that comes into the market and leaves it."""

from collections import defaultdict

from dem.model.ledger import Ledger
from dem.model.units import Money
from dem.replay.events import Args

_NO_REFERENCE = bytes(32)


class Transfers:
    """Deposits and withdrawals by member, and the credit that the council grants, in money units."""

    def __init__(self, ledger: Ledger) -> None:
        self.deposited: dict[int, int] = defaultdict(int)
        self.withdrawn: dict[int, int] = defaultdict(int)
        self.to_wallets = 0
        """Tokens outside of the market."""
        self._ledger = ledger

    def deposit(self, args: Args) -> None:
        """A Deposited."""
        self._ledger.deposit(args["id"], Money(args["amount"]))
        self.deposited[args["id"]] += args["amount"]
        if args["paymentReference"] == _NO_REFERENCE:  # tokens that come back from a wallet
            self.to_wallets -= args["amount"]

    def withdraw(self, args: Args) -> None:
        """A Withdrawn."""
        self._ledger.withdraw(args["id"], Money(args["amount"]))
        self.withdrawn[args["id"]] += args["amount"]
        if not args["toBank"]:
            self.to_wallets += args["amount"]

    def set_credit_limit(self, args: Args) -> None:
        """A CreditLimitSet."""
        self._ledger.set_credit_limit(args["id"], Money(args["limit"]))
