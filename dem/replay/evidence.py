"""What a member can prove of its own day: its words, by the day's commitment (rule 12.7), and its account.

A proof is made by whoever keeps the market's index and asks a node; it is checked here against a block's header, with
neither.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dem.chain.proofs import HEADER, hash_of, number_in, slot_of, word_of
from dem.errors import InputError
from dem.model.commitments import commitment_of, words_hash
from dem.model.imbalance import price_of_estimates
from dem.model.markets.auction import Column
from dem.model.readings import estimated_of_lanes, net_of_lanes
from dem.model.rules import Tariff
from dem.model.strips import LANES, unpack, unpack_all
from dem.model.units import PriceRange, UnitsPerWh

COMMITMENTS, PRICES, PENALTIES, PURSES = 8, 5, 6, 4
"""Slots of mappings: `commitmentOf`, `_prices` and `_penalties` in Settlement, `_purses` in Accounts."""
_FREE_BITS, _LOCKED_BITS, _ARREARS_BITS = 96, 80, 72
"""Of a purse, from the lowest bit on."""

Hex = Annotated[str, Field(pattern=r"^0x[0-9a-f]*$", max_length=4_096)]
Word = Annotated[str, Field(pattern=r"^0x[0-9a-f]{64}$")]
Words = Annotated[list[Word], Field(max_length=64)]
Nodes = Annotated[list[Hex], Field(max_length=64)]


class Part(BaseModel):
    """A word of a contract: what `eth_getProof` answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    contract: str = Field(pattern=r"^0x[0-9a-f]{40}$")
    account_proof: Nodes
    storage_proof: Nodes


class Evidence(BaseModel):
    """A proof of one day of one member, as a file has it.

    contracted, metered: six periods a word. prices: of the day, see DayPrices. path: from the member's leaf to the root
    of the day's tree. lowest: the market's lowest price, from which prices count, units/Wh.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    v: Literal["dem-proof/1"] = "dem-proof/1"
    chain: int = Field(ge=1)
    member: int = Field(ge=1, le=2**32 - 1)
    day: int = Field(ge=1, le=2**32 - 1)
    lowest: int = Field(ge=-(2**24), le=2**24)
    header: dict[str, Hex]
    settlement: Part
    accounts: Part
    contracted: Words
    metered: Words
    prices: Words
    path: Words


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What a proof shows, if its block is one of the chain.

    contracted, metered: Wh by period; estimated: where nothing was read. short, long: prices of what was drawn beyond
    contracts, and given, units/Wh. beyond: what that cost, money units. free, locked, arrears: of the account, money
    units; locked is what the first market holds.
    """

    block: int
    hash: str
    time: int
    contracted: Column
    metered: Column
    estimated: NDArray[np.bool_]
    short: Column
    long: Column
    free: int
    locked: int
    arrears: int

    @property
    def drawn(self) -> int:
        """What the meter drew, Wh."""
        return int(self.metered[self.metered > 0].sum())

    @property
    def fed_in(self) -> int:
        """What it fed in, Wh."""
        return -int(self.metered[self.metered < 0].sum())

    @property
    def beyond(self) -> int:
        """What energy beyond contracts cost, money units; negative if it brought something."""
        imbalance = self.metered - self.contracted
        price = price_of_estimates(imbalance, np.where(imbalance > 0, self.short, self.long), self.estimated)
        return sum((imbalance * price).tolist())


def read(path: Path) -> Evidence:
    """A proof from a file.

    Raises:
        InputError: it is none.
    """
    try:
        return Evidence.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(str(path), "", f"cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {where}" if where else str(path), "", first["msg"]) from error


def header_of(block: dict[str, object]) -> dict[str, str]:
    """Of what a node tells of a block, its header."""
    return {name: str(block[name]) for name in HEADER if block.get(name) is not None}


def check(evidence: Evidence) -> Shown:
    """What a proof shows.

    Raises:
        InputError: it does not show what it says; where tells which part.
    """
    hash_ = hash_of(evidence.header)
    words = [_numbers(some) for some in (evidence.contracted, evidence.metered, evidence.prices)]
    contracted, metered, prices = words
    if not len(contracted) == len(metered) in (len(prices), len(prices) // 2):
        raise InputError("metered", len(metered), "is not as many words as contracted and prices")
    path = [bytes.fromhex(node[2:]) for node in evidence.path]
    made = commitment_of(evidence.day, evidence.member, words_hash(contracted), words_hash(metered), prices, path)
    kept = _word(evidence, evidence.settlement, slot_of(evidence.day, COMMITMENTS))
    if kept != int.from_bytes(made, "big"):
        why = f"is the commitment that the words of day {evidence.day} lead to, and the chain has 0x{kept:064x}"
        raise InputError("settlement", f"0x{made.hex()}", why)
    purse = _word(evidence, evidence.accounts, slot_of(evidence.member, PURSES))
    free, locked, arrears = _purse(purse)
    energies, lanes = zip(*((net_of_lanes(of).ravel(), of) for of in map(_lanes, (contracted, metered))), strict=True)
    short, long = _prices(prices[: len(contracted)], PriceRange(UnitsPerWh(evidence.lowest)))
    return Shown(
        block=number_in(evidence.header, "number"),
        hash=f"0x{hash_.hex()}",
        time=number_in(evidence.header, "timestamp"),
        contracted=energies[0],
        metered=energies[1],
        estimated=estimated_of_lanes(lanes[1]).ravel(),
        short=short,
        long=long,
        free=free,
        locked=locked,
        arrears=arrears,
    )


def _word(evidence: Evidence, part: Part, slot: int) -> int:
    proofs = (part.account_proof, part.storage_proof)
    return word_of(evidence.header["stateRoot"], part.contract, slot, *proofs)


def _numbers(words: Sequence[str]) -> list[int]:
    return [int(word, 16) for word in words]


def _lanes(words: Sequence[int]) -> NDArray[np.int64]:
    return unpack_all([word.to_bytes(32, "big") for word in words])[1]


def _purse(word: int) -> tuple[int, int, int]:
    """Free, which may be below zero, locked and arrears."""
    free = word & (1 << _FREE_BITS) - 1
    signed = free - (free >> _FREE_BITS - 1 << _FREE_BITS)
    locked = word >> _FREE_BITS & (1 << _LOCKED_BITS) - 1
    return signed, locked, word >> _FREE_BITS + _LOCKED_BITS & (1 << _ARREARS_BITS) - 1


def _prices(words: Sequence[int], scale: PriceRange) -> tuple[Column, Column]:
    """Of who was short, and of who was long, by period."""
    tariffs = [Tariff.of_lane(lane, scale) for word in words for lane in unpack(word)[1]]
    return tuple(np.array([getattr(one, side) for one in tariffs], np.int64) for side in ("buy", "sell"))  # type: ignore[return-value]


def write(path: Path, evidence: Evidence) -> None:
    """A proof as a file."""
    path.write_text(json.dumps(evidence.model_dump(), indent=1), encoding="utf-8")


__all__ = ["LANES", "Evidence", "Part", "Shown", "check", "header_of", "read", "write"]
