"""The operator: clears, closes metering, settles, ends days, pays what is due then. Anybody may, so many may be one."""

from collections.abc import Callable, Sequence
from functools import cached_property

from dem.deployment.market import RELAYER
from dem.model.mechanisms import AUCTION, DAY_AHEAD, POOL
from dem.relay import clearing, coins, escrow, fund, lots, pairs, pools, readings, settlement, wholesale
from dem.relay.batches import Relay
from dem.replay.escrow import EscrowReplay
from dem.replay.pairs import PairReplay
from dem.replay.replay import Replay
from dem.roles.step import Day, Step


class Operator:
    """What an operator does. standby: seconds that it leaves to others before it does what is due.

    follow: the replay of all events until now. has_coins: whether the market has NRGcoins credited.
    """

    def __init__(self, relay: Relay, follow: Callable[[], Replay], standby: int = 0, has_coins: bool = False) -> None:
        self._relay, self._market, self._follow, self._standby = relay, relay.market, follow, standby
        self._has_coins = has_coins

    @property
    def steps(self) -> Sequence[Step]:
        """In the order of a day."""
        calendar = self._market.calendar
        deadline, final = self._late(calendar.metering_deadline), self._late(calendar.corrections_close_at)
        gate = self._late(calendar.gate_closes_at)
        return (
            *(self._clearing_of(pool, lead) for pool, lead in self._leads.items()),
            Step("clear", self.clear, self._is_cleared, gate),
            Step("pair", self.pair, self._is_paired, gate, may=self._may_pair),
            Step("clear the residual", self.clear_residual, self._residual_is_cleared, gate, may=self._is_cleared),
            Step("close metering", self.close_metering, self._is_closed, deadline, may=self._may_close),
            Step("settle", self.settle, self._is_settled, deadline, may=self._is_closed),
            Step("finalize", self.finalize, self._is_final, final, may=self._is_closed),
            Step("pay fund", self.pay_fund, self._is_paid, final, may=self._is_final),
            Step("release escrows", self.release_escrows, self._are_released, final, may=self._is_final),
            *(self._coin_steps(final) if self._has_coins else ()),
        )

    def _coin_steps(self, final: Callable[[Day], int]) -> Sequence[Step]:
        relay = self._relay
        return (
            Step(
                "credit coins",
                self.credit_coins,
                lambda day: coins.is_credited(relay, day),
                final,
                until=lambda day: coins.lapses_at(relay, day),
                may=self._is_final,
            ),
            Step("correct coins", self.correct_coins, lambda _: not self._follow().coins.to_correct()),
        )

    def _late(self, due: Callable[[Day], int]) -> Callable[[Day], int]:
        return lambda day: due(day) + self._standby

    # ----------------------------------------------------------------------------------------------- clearing

    @cached_property
    def _leads(self) -> dict[str, int]:
        """Of every pool, seconds by which its gate is ahead of the market's."""
        return {name: pools.lead(self._relay, name) for name in self._market.addresses if name.startswith(POOL)}

    def _clearing_of(self, pool: str, lead: int) -> Step:
        return Step(
            f"clear {pool}",
            lambda day: clearing.clear(self._relay, day, pool),
            lambda day: bool(self._market.contract(pool).functions.isCleared(day).call()),
            self._late(lambda day: self._market.calendar.gate_closes_at(day) - lead),
        )

    def clear_pools(self, day: Day) -> None:
        """The prices of every pool whose gate has closed."""
        left = self._market.calendar.gate_closes_at(day) - self._relay.chain.now()
        for pool, lead in self._leads.items():
            if left <= lead:
                clearing.clear(self._relay, day, pool)

    def clear(self, day: Day) -> None:
        """The prices of the day-ahead auction."""
        clearing.clear(self._relay, day)

    def _is_cleared(self, day: Day) -> bool:
        return bool(self._market.contract(AUCTION).functions.isCleared(day).call())

    def pair(self, day: Day) -> None:
        """The pairs of every day-ahead market of pairs that has orders."""
        for contract in self._to_pair(day):
            market = self._follow().markets[contract]
            assert isinstance(market, PairReplay)
            pairs.pair(self._relay, day, contract, market.book(day))

    def _to_pair(self, day: Day) -> list[str]:
        """Markets of pairs with orders for a day that have not all met."""
        return [
            contract
            for contract in DAY_AHEAD
            if contract != AUCTION
            and self._relay.records.events(contract, "SheetAccepted", day)
            and not self._market.contract(contract).functions.isCleared(day).call()
        ]

    def _is_paired(self, day: Day) -> bool:
        return not self._to_pair(day)

    def _may_pair(self, day: Day) -> bool:
        """By lot orders meet once the lot is known."""
        lot = self._market.contract(lots.CONTRACT)
        return not self._relay.chain.refusal_of(self._market.keys[RELAYER], lot, "lotOf", day)

    def clear_residual(self, day: Day) -> None:
        """What the auction left over, with the wholesale desk, if it has reported."""
        if not self._residual_is_cleared(day):
            wholesale.clear_residual(self._relay, day, self._follow())

    def _residual_is_cleared(self, day: Day) -> bool:
        """Whether nothing of it waits: so it is, too, of a day of which there is no report yet."""
        _, pending = self._market.contract(wholesale.CONTRACT).functions.reportOf(day).call()
        return not pending

    # ----------------------------------------------------------------------------------------- the day after

    def close_metering(self, day: Day) -> None:
        """Estimates for the readings that are missing."""
        readings.close_metering(self._relay, day)

    def _is_closed(self, day: Day) -> bool:
        return bool(self._market.readings.functions.isClosed(day).call())

    def _may_close(self, day: Day) -> bool:
        """The contract knows what it waits for."""
        return not self._relay.chain.refusal_of(self._market.keys[RELAYER], self._market.readings, "close", day, 1)

    def settle(self, day: Day) -> None:
        """The money of the day."""
        settlement.settle(self._relay, day)

    def _is_settled(self, day: Day) -> bool:
        return self._is_final(day) or (self._is_closed(day) and not settlement.left_to_settle(self._relay, day))

    def finalize(self, day: Day) -> None:
        """The end of the day, after which nothing of it changes."""
        settlement.finalize(self._relay, day)

    def _is_final(self, day: Day) -> bool:
        return bool(self._market.rules.functions.lastFinalDay().call() >= day)

    def pay_fund(self, day: Day) -> None:
        """Premiums and rewards of a final day."""
        fund.pay_fund(self._relay, day)

    def _is_paid(self, day: Day) -> bool:
        """Whether it is, or there is nothing to pay by the rules."""
        rules = self._market.rules_on(day)
        nothing = not (rules["premiumRate"] or rules["rewardShare"])
        return nothing or bool(self._market.contract("BalancingFund").functions.nextDay().call() > day)

    def release_escrows(self, _day: Day) -> None:
        """What nobody has released of final days is paid as meters showed."""
        escrow.expire(self._relay, self._escrows())

    def _are_released(self, _day: Day) -> bool:
        """Who has no such trades does not even follow the market for it."""
        count = self._market.contract(escrow.CONTRACT).functions.tradeCount().call()
        return not count or not self._escrows().delivered

    def _escrows(self) -> EscrowReplay:
        market = self._follow().markets[escrow.CONTRACT]
        assert isinstance(market, EscrowReplay)
        return market

    def credit_coins(self, day: Day) -> None:
        """The coins of a final day."""
        coins.credit_day(self._relay, day)

    def correct_coins(self, _day: Day) -> None:
        """Coins of who was settled late since it was credited."""
        coins.correct(self._relay, self._follow())
