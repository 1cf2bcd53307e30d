"""What the gateway answers, as its OpenAPI document describes it. Amounts are exact decimal numbers, as text."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from dem.gateway.offers import Phase
from dem.gateway.protocol import Envelope
from dem.gateway.state import State
from dem.metering.record import Direction, Quality

Decimal = Field(pattern=r"^-?\d+\.\d+$", examples=["0.12345678"])


class Answer(BaseModel):
    """Closed, so that what is answered is what is described."""

    model_config = ConfigDict(extra="forbid")


class Problem(Answer):
    """Why a request was refused (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    where: str | None = Field(None, description="place in a file that was sent: its name, line and column")


class Calendar(Answer):
    """When days are; see the market's rules."""

    opening: int
    period_length: int
    periods_per_day: int
    open_lead: int
    gate_lead: int
    metering_lag: int
    correction_lag: int


class Market(Answer):
    """What a client has to know before it signs anything. domain: of what is signed, but for contract and chain."""

    protocol: str
    chain: int
    genesis: str
    contracts: dict[str, str]
    calendar: Calendar
    types: dict[str, list[str]] = Field(description="fields of each type of message, in their order, with their types")
    block: int
    depth: int = Field(description="blocks behind the newest one from which a block is final")
    trouble: str = Field(description="why nothing can be brought to the chain now; empty if all is well")


class Day(Answer):
    """How far a day is. What was traded is not in it: see docs/guide/gateway.md, "What the public is told"."""

    day: int
    starts_at: str | None
    slots_cleared: int
    is_metered: bool
    is_settled: bool
    is_final: bool


class Price(Answer):
    """Of one period in the day-ahead auction; no price where nothing was traded."""

    slot: int
    starts_at: str | None
    price: str | None
    volume_wh: int


class Tariff(Answer):
    """Of the fallback supplier, per kWh."""

    slot: int
    buy: str
    sell: str


class Rules(Answer):
    """Of a day, as far as who orders has to know them; prices per kWh."""

    first_day: int = Field(description="from which this version holds")
    platform_fee: str
    network_fee: str
    standing_buy: str = Field(description="of the fallback supplier for days without published tariffs")
    standing_sell: str
    min_order_energy_wh: int
    max_layers: int
    lowest_price: str = Field(description="that orders can name: tick 0 of a sheet")
    price_tick: str = Field(description="how far apart the prices are that orders can name")


class Participant(Answer):
    """In the registry. Its money is told where one participant is asked for."""

    participant: int
    name: str | None
    kind: str
    status: str
    first_day: int
    account: str
    meter: str
    import_capacity_wh: int | None
    export_capacity_wh: int | None
    balance: str | None = None
    arrears: str | None = None
    credit_limit: str | None = None


class Energy(Answer):
    """Net energy of one period: consumption is positive, generation negative."""

    day: int
    slot: int
    contracted_wh: int
    metered_wh: int
    is_estimated: bool


class Reading(Answer):
    """Energy of one period of a meter, as its operator said it. version: the first is 1, corrections are later ones."""

    meter: str
    direction: Direction
    starts_at: str
    seconds: int
    energy_kwh: str = Field(pattern=r"^\d+(\.\d+)?$", description="exact; 0 where the value is missing")
    quality: Quality
    version: int
    issued_at: str | None = Field(description="when the operator made it, if it says so")
    delivery: int


class Delivery(Answer):
    """A file that was taken. new, corrected: periods that it says something new of; is_known: it had come before."""

    number: int
    at: int
    hash: str = Field(description="SHA-256 of the file")
    account: str
    name: str
    format: str
    bytes: int
    new: int
    corrected: int
    left_alone: dict[str, int] = Field(description="what else is in it, and how often")
    is_known: bool


class Order(Answer):
    """In a market's book; it stays when the day is cleared."""

    market: str
    slot: int
    layer: int
    side: str
    limit: str
    energy_wh: int


class Offer(Answer):
    """A contract that is offered, with what its proposer has signed."""

    hash: str = Field(description="what an acceptance, an answer or a revocation refers to")
    envelope: dict[str, Any]
    proposer: int
    counterparty: int = Field(description="0: everybody")
    expires: int = Field(description="unix time: that of the proposal, or the gate of its first day if that is earlier")
    phase: Phase
    contract: int | None = Field(description="number of the contract that it has led to")
    refusal: str | None = Field(description="why the chain did not take the newest answer")


class Settlement(Answer):
    """Of one day: what was paid; negative amounts were received."""

    day: int
    trade: str
    imbalance: str
    fees: str
    deviation: str
    penalty: str
    paid: str


class Transfer(Answer):
    """A deposit (positive) or a withdrawal."""

    at: str | None
    how: str
    amount: str
    transaction: str


class CoinDay(Answer):
    """NRGcoins that a member was minted and charged for a day, as corrected last."""

    day: int
    minted: str
    charged: str


class CoinTransfer(Answer):
    """NRGcoins that a member was given (positive) or gave."""

    at: str | None
    other: int = Field(description="number of the member that gave or has them")
    coins: str
    transaction: str


class Coins(Answer):
    """A member's NRGcoins, with six decimals; below zero where more was charged than there was."""

    coins: str
    days: list[CoinDay]
    moves: list[CoinTransfer]


class Escrow(Answer):
    """A trade in escrow. state: funded, released (all to the seller), split, or expired: paid by the readings."""

    number: int
    day: int
    buyer: int
    seller: int
    slots: str = Field(description="periods of the day, a bit each")
    energy_wh: int = Field(description="in each of them")
    price: str = Field(description="per kWh")
    state: str
    to_seller: str | None
    to_buyer: str | None
    delivered_wh: int | None = Field(description="what the readings paid for, if they did")
    buyer_key: str
    seller_key: str
    mediator: str


class Escrows(Answer):
    """A member's trades in escrow. waiting: envelopes of those that one side has signed."""

    trades: list[Escrow]
    waiting: list[dict[str, Any]]


class Status(Answer):
    """What has become of a message. refusal: the contract's error in words."""

    id: str
    type: str
    state: State
    block: int | None = None
    transaction: str | None = None
    refusal: str | None = None


class Result(Answer):
    """Of one line of a batch: its message's state, or why it was refused."""

    line: int
    status: Status | None = None
    problem: Problem | None = None


class LoginText(Answer):
    """What to sign with the account's key, as wallets sign texts (EIP-191)."""

    message: str


class Login(BaseModel):
    """A signed text."""

    model_config = ConfigDict(extra="forbid", strict=True)

    message: str = Field(max_length=2_000)
    signature: str = Field(pattern=r"^0x[0-9a-f]{130}$")


class Token(Answer):
    """Good as `Authorization: Bearer`, until it expires."""

    token: str
    expires_in: int
    account: str
    participant: int
    roles: list[str]


class ClientToken(Answer):
    """Good as `Authorization: Bearer`, until it expires. scope: the offices of the client."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str


class ClientRefusal(Answer):
    """Why there is no token (RFC 6749, 5.2)."""

    error: Literal["invalid_request", "invalid_client", "unsupported_grant_type"]
    error_description: str


class Me(Answer):
    """Who asks."""

    account: str
    participant: int
    roles: list[str]


class Queue(Answer):
    """How many messages are in each state."""

    counts: dict[str, int]
    trouble: str
    streams: int


class Payout(Answer):
    """A withdrawal to a bank. id: also the reference of its payment on the chain."""

    id: str
    envelope: Envelope


class Refused(BaseModel):
    """Why the treasurer cannot pay out."""

    model_config = ConfigDict(extra="forbid", strict=True)

    why: str = Field(min_length=1, max_length=1_000)


class Approval(BaseModel):
    """Of a proposal of the council, by a seat."""

    model_config = ConfigDict(extra="forbid", strict=True)

    transaction: str = Field(
        pattern="^0x(?:[0-9a-f]{2}){1,500}$",
        description="that calls Council.approve, of type 1 or 2, as a seat signed it",
    )


class Passed(Answer):
    """A transaction that was given to the node. The chain's events tell when it is in a block."""

    transaction: str = Field(description="its hash")


class Access(Answer):
    """Somebody read about another person. participant: 0 if about all."""

    number: int
    at: int
    reader: str
    role: str
    resource: str
    participant: int
    rows: int
    purpose: str


CLIENT_FORM = {
    "type": "object",
    "required": ["grant_type"],
    "properties": {
        "grant_type": {"type": "string", "const": "client_credentials"},
        "client_id": {"type": "string"},
        "client_secret": {"type": "string"},
        "scope": {"type": "string", "description": "left alone: a client has the offices that it was registered with"},
    },
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route, for the document."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": "refused", "content": content} for status in statuses}
