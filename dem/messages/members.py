"""What members sign about themselves: that they come, what they take out, whom they choose."""

from dataclasses import dataclass
from typing import ClassVar

from dem.model.units import UnitsPerWh, Wh


@dataclass(frozen=True, slots=True)
class Application:
    """Request for admission; capacities in Wh per period, `feeder` and `documents` 32 bytes."""

    TYPE: ClassVar = (
        ("account", "address"),
        ("meter", "address"),
        ("kind", "uint8"),
        ("importCapacity", "uint40"),
        ("exportCapacity", "uint40"),
        ("feeder", "bytes32"),
        ("documents", "bytes32"),
    )
    account: str
    meter: str
    kind: int
    import_capacity: Wh
    export_capacity: Wh
    feeder: bytes
    documents: bytes


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Request to pay out `amount` money units of free money, in fiat or as tokens."""

    TYPE: ClassVar = (
        ("account", "address"),
        ("amount", "uint128"),
        ("toBank", "bool"),
        ("sequence", "uint40"),
    )
    account: str
    amount: int
    to_bank: bool
    sequence: int


@dataclass(frozen=True, slots=True)
class Mandate:
    """Choice of an intermediary for `share` (1/10,000) of a connection; of none: the zero address and share 0."""

    TYPE: ClassVar = (
        ("client", "address"),
        ("intermediary", "address"),
        ("share", "uint16"),
        ("firstDay", "uint32"),
        ("sequence", "uint40"),
    )
    client: str
    intermediary: str
    share: int
    first_day: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Commission:
    """What an intermediary asks for per Wh from a day on, money units."""

    TYPE: ClassVar = (
        ("intermediary", "address"),
        ("perWh", "uint32"),
        ("firstDay", "uint32"),
        ("sequence", "uint40"),
    )
    intermediary: str
    per_wh: UnitsPerWh
    first_day: int
    sequence: int


@dataclass(frozen=True, slots=True)
class CoinTransfer:
    """Coins to another member (rule 17). amount: 10^-6 coins. sequence: of the account's transfers, ascending."""

    TYPE: ClassVar = (("from", "address"), ("to", "address"), ("amount", "uint128"), ("sequence", "uint40"))
    giver: str
    receiver: str
    amount: int
    sequence: int


@dataclass(frozen=True, slots=True)
class ReliefOffer:
    """Parts of a connection (1/10,000) that a member would not use from a day on, and for how much, units/Wh.

    Of the grid operator: what it pays at most.
    """

    TYPE: ClassVar = (
        ("account", "address"),
        ("drawn", "uint16"),
        ("drawnPrice", "uint32"),
        ("fedIn", "uint16"),
        ("fedInPrice", "uint32"),
        ("firstDay", "uint32"),
        ("sequence", "uint40"),
    )
    account: str
    drawn: int
    drawn_price: UnitsPerWh
    fed_in: int
    fed_in_price: UnitsPerWh
    first_day: int
    sequence: int


@dataclass(frozen=True, slots=True)
class SourceList:
    """Whose energy a member would draw from a day on (rule 19). wishes: words, see `dem.model.labels.list_words`."""

    TYPE: ClassVar = (
        ("account", "address"),
        ("wishes", "bytes32[]"),
        ("firstDay", "uint32"),
        ("sequence", "uint40"),
    )
    account: str
    wishes: tuple[int, ...]
    first_day: int
    sequence: int


@dataclass(frozen=True, slots=True)
class SourcePremium:
    """What a member asks from a day on for what it feeds in, where somebody wants it, units/Wh (rule 19)."""

    TYPE: ClassVar = (
        ("account", "address"),
        ("perWh", "uint32"),
        ("firstDay", "uint32"),
        ("sequence", "uint40"),
    )
    account: str
    per_wh: UnitsPerWh
    first_day: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Replacement:
    """The new account of a member that has lost its key agrees to take the place of the old one."""

    TYPE: ClassVar = (("id", "uint32"), ("replaced", "address"), ("account", "address"))
    id: int
    replaced: str
    account: str


@dataclass(frozen=True, slots=True)
class Veto:
    """A member's account says that its key is not lost."""

    TYPE: ClassVar = (("id", "uint32"), ("account", "address"))
    id: int
    account: str


@dataclass(frozen=True, slots=True)
class Nomination:
    """A participant stands for election as a representative in the council."""

    TYPE: ClassVar = (("nominee", "address"), ("election", "uint32"))
    nominee: str
    election: int


@dataclass(frozen=True, slots=True)
class Ballot:
    """A participant's vote, closed: `commitment` is the EIP-712 digest of its opening."""

    TYPE: ClassVar = (
        ("voter", "address"),
        ("election", "uint32"),
        ("commitment", "bytes32"),
        ("sequence", "uint40"),
    )
    voter: str
    election: int
    commitment: bytes
    sequence: int


@dataclass(frozen=True, slots=True)
class Opening:
    """What a ballot says. id: the voter's number. The contract takes it without a signature; who keeps it for the voter
    wants to know whose it is.
    """

    TYPE: ClassVar = (
        ("election", "uint32"),
        ("id", "uint32"),
        ("nominee", "address"),
        ("salt", "bytes32"),
        ("sequence", "uint40"),
    )
    election: int
    id: int
    nominee: str
    salt: bytes
    sequence: int
