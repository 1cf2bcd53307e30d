"""Every exception the package raises; each carries the numbers an operator needs to read."""

from dataclasses import dataclass, field
from types import TracebackType


class DemError(Exception):
    """Root of all errors of this package."""


@dataclass(eq=False)
class InputError(DemError, ValueError):
    """A value from outside breaks a rule: where it stood, what it was, and why it is refused."""

    where: str
    value: object
    why: str

    def __str__(self) -> str:
        shown = "" if self.value is None else f"{self.value!r} "
        return f"{self.where}: {shown}{self.why}"


class FormatError(InputError):
    """A file is of a format that this version does not read."""


@dataclass
class Mistakes:
    """What is wrong with an input: a context that raises it, or that keeps it and lets reading go on.

    is_patient: keep it.
    unread: names whose own line is wrong. That other lines name them is no further mistake.
    """

    is_patient: bool = False
    found: list[InputError] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)

    def add(self, error: InputError) -> None:
        """Raise an error, or keep it."""
        if not self.is_patient:
            raise error
        if not (isinstance(error.value, str) and error.value in self.unread):
            self.found.append(error)

    def __enter__(self) -> "Mistakes":
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _where: TracebackType | None) -> bool:
        if not self.is_patient or not isinstance(error, InputError):
            return False
        self.add(error)
        return True


class LedgerError(DemError):
    """An account cannot do what was asked of it; nothing changed. Amounts in money units."""


@dataclass(eq=False)
class ArrearsError(LedgerError):
    """An account in arrears may not place new orders (lock money)."""

    account: int
    arrears: int

    def __str__(self) -> str:
        return f"account {self.account} is {self.arrears} in arrears"


@dataclass(eq=False)
class InsufficientFreeError(LedgerError):
    """More free money was asked for than the account has."""

    account: int
    asked: int
    free: int

    def __str__(self) -> str:
        return f"account {self.account}: asked for {self.asked}, free {self.free}"


@dataclass(eq=False)
class InsufficientLockedError(LedgerError):
    """More locked money was to be released than the account has."""

    account: int
    asked: int
    locked: int

    def __str__(self) -> str:
        return f"account {self.account}: asked to release {self.asked}, locked {self.locked}"


@dataclass(eq=False)
class PaidNowError(LedgerError):
    """Money that the settlement under way has paid, and may take back, was to be locked, taken out or paid on."""

    account: int

    def __str__(self) -> str:
        return f"account {self.account}: the settlement under way has paid it"


@dataclass(eq=False)
class CreditLimitError(LedgerError):
    """A batch of postings would leave a credit account below minus its credit limit."""

    account: int
    free: int
    credit_limit: int

    def __str__(self) -> str:
        return f"account {self.account}: free {self.free} is below -{self.credit_limit}"


@dataclass(eq=False)
class UnbalancedPostingsError(LedgerError):
    """The amounts of a batch of postings do not sum to zero."""

    total: int

    def __str__(self) -> str:
        return f"postings sum to {self.total} instead of 0"


@dataclass(eq=False)
class RequestError(DemError):
    """A request that a service refuses. status: of HTTP. name: by which software knows the reason.

    where: place in a file that was sent.
    """

    status: int
    name: str
    why: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.why}"


@dataclass(eq=False)
class IntradayError(DemError):
    """The intraday market refuses: the contract's error and its numbers."""

    error: str
    numbers: tuple[int | bool, ...]

    def __str__(self) -> str:
        return f"{self.error}{self.numbers}"


@dataclass(eq=False)
class RegisterDecreasedError(DemError):
    """A cumulative meter register ran backwards, Wh; `index` counts the registers of the sheet."""

    index: int
    before: int
    after: int

    def __str__(self) -> str:
        return f"register {self.index}: {self.after} Wh is below the preceding {self.before} Wh"


@dataclass(eq=False)
class SignatureError(DemError):
    """Bytes that are no valid signature of anybody."""

    why: str

    def __str__(self) -> str:
        return f"signature {self.why}"


def require_range(where: str, value: int, low: int, high: int | None = None) -> None:
    """Refuse a value that is not a plain integer within low..high (no upper bound if None).

    Plain matters: a numpy integer wraps around where Python's does not.

    Raises:
        InputError: the value is of another type or out of range.
    """
    if not isinstance(value, int):
        raise InputError(where, value, f"must be a plain int, not {type(value).__name__}")
    if value < low or (high is not None and value > high):
        raise InputError(where, value, f"must be {low}..{'' if high is None else high}")


class ChainError(DemError):
    """The chain, the connection or the deployment is not as expected."""


@dataclass(eq=False)
class RefusedError(ChainError):
    """A contract refused a transaction; nothing changed."""

    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.what}: {self.why}"


class NotAnsweredError(ChainError):
    """The node does not answer this request: it is there, but may answer a smaller one."""


class IndexMovedError(ChainError):
    """Another process has changed an index meanwhile: what was to change it has to be worked out again."""


class BlocksLostError(ChainError):
    """The chain no longer has blocks it had, or its clock went back: the node was killed, or the chain reorganised.

    Whatever was asked of the chain before may no longer hold; the driver has to ask again from the start.
    """
