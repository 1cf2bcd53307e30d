"""What the index knows, as the gateway tells it: energy in whole Wh, money and prices as exact decimal numbers."""

import json
import logging
from collections.abc import Iterable
from typing import Any

from sqlalchemy import BindParameter, Engine, bindparam, event, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from dem.errors import RequestError
from dem.index import Place
from dem.index.database import AWAY, POSTGRESQL, engine_of, said, shown, url_of
from dem.index.dialects import plain_numbers
from dem.model.coins import COIN_DECIMALS
from dem.model.mechanisms import AUCTION
from dem.model.units import PRICE_DECIMALS, UnitsPerWh, price_per_kwh

Row = dict[str, Any]

_log = logging.getLogger(__name__)
MOST_ROWS = 3_000
"""In one answer: 31 days of quarter-hours are 2,976."""
_PARTICIPANT = """
SELECT participant, name, kind, status, first_day, account, meter,
  import_capacity_kwh AS import_capacity, export_capacity_kwh AS export_capacity
FROM participants
"""
_ENERGY_OF = """
WITH
  metered AS (
    SELECT *, row_number() OVER (PARTITION BY day, slot ORDER BY block DESC, log_index DESC) AS age FROM (
      SELECT * FROM reading WHERE id = :participant AND day BETWEEN :first AND :last
      UNION ALL SELECT * FROM estimate WHERE id = :participant AND day BETWEEN :first AND :last
    ) AS told
  ),
  contracted AS (
    SELECT *, row_number() OVER (PARTITION BY day, slot ORDER BY block DESC, log_index DESC) AS age
    FROM scheduled WHERE id = :participant AND day BETWEEN :first AND :last
  ),
  known AS (
    SELECT day, slot, 0 AS contracted_wh, net_wh AS metered_wh, is_estimated FROM metered WHERE age = 1
    UNION ALL SELECT day, slot, net_wh, 0, 0 FROM contracted WHERE age = 1
  )
SELECT day, slot, sum(contracted_wh) AS contracted_wh, sum(metered_wh) AS metered_wh, max(is_estimated) AS is_estimated
FROM known GROUP BY day, slot ORDER BY day, slot LIMIT :most
"""
"""The view `energy` of one participant: a condition on the view would look at everybody's readings first."""
_NAMED = """
WITH
  once (id) AS (
    SELECT id FROM participant_registry_admitted WHERE lower(account) IN :accounts
    UNION SELECT id FROM participant_registry_account_replaced WHERE lower(account) IN :accounts
  )
SELECT p.participant, p.name, lower(p.account) AS account
FROM once JOIN participants AS p ON p.participant = once.id
WHERE lower(p.account) IN :accounts
"""
"""Who has ever had an account is found by an index; whose it is now, the view tells."""
_DAYS = """
SELECT day, starts_at, slots_cleared, coalesce(volume_kwh, 0) AS kwh, is_metered, is_settled, is_final FROM days
WHERE day BETWEEN (
  SELECT min(day) FROM (SELECT day FROM known_days WHERE day <= :last ORDER BY day DESC LIMIT :most) AS shown
) AND :last ORDER BY day DESC
"""
"""Counts and sums are made of the days that are asked for alone."""


class Index:
    """Reads the index that `index --follow` keeps. It is opened for reading only."""

    def __init__(self, place: Place) -> None:
        # A question is a transaction of its own. Whether a connection still stands it finds out by itself.
        options = {"isolation_level": "AUTOCOMMIT", "pool_pre_ping": False}
        url = url_of("index", place)
        self.where = shown(url)
        self._engine = engine_of("index", url, is_read_only=True, **options)
        if self._engine.dialect.name == POSTGRESQL:
            event.listen(self._engine, "connect", plain_numbers)

    @property
    def engine(self) -> Engine:
        """For tests and tools."""
        return self._engine

    def close(self) -> None:
        """Let go of it."""
        self._engine.dispose()

    def _rows(self, question: str, **values: Any) -> list[Row]:
        return [_exact(row) for row in self.rows(question, **values)]

    def rows(self, question: str, **values: Any) -> list[Row]:
        """What the database answers, as it is. A value may be a list, for `IN :name`, with something in it.

        Raises:
            RequestError: there is no index yet, or its database is away.
        """
        try:
            try:
                return self._answer(question, values)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                return self._answer(question, values)  # the database was started again meanwhile
        except (*AWAY, ProgrammingError) as error:
            _log.warning("the index cannot be read: %s", said(error))
            raise RequestError(503, "NoIndex", "the market's index cannot be read now: try again later") from error

    def _answer(self, question: str, values: dict[str, Any]) -> list[Row]:
        lists: list[BindParameter[Any]] = [
            bindparam(name, expanding=True) for name, value in values.items() if isinstance(value, list)
        ]
        with self._engine.connect() as connection:
            found = connection.execute(text(question).bindparams(*lists), values)
            return [dict(row._mapping) for row in found]

    def head(self) -> int:
        """The newest block in it."""
        [row] = self._rows(
            "SELECT coalesce(max(number), 0) AS number FROM (SELECT number FROM header UNION ALL "
            "SELECT max(number) FROM block) AS known"
        )
        return int(row["number"])

    # --------------------------------------------------------------------------------------- who there is

    def participant_of(self, account: str) -> int:
        """Number of the participant with an account, 0 if it is none's."""
        found = self.named([account])
        return int(found[account.lower()]["participant"]) if found else 0

    def named(self, accounts: Iterable[str]) -> dict[str, Row]:
        """Number and name of participants by their accounts, in lower case; those that are nobody's are left out."""
        asked = sorted({account.lower() for account in accounts})
        return {row["account"]: row for row in self.rows(_NAMED, accounts=asked)} if asked else {}

    def participants(self, after: int, most: int) -> list[Row]:
        """Participants by number."""
        question = f"{_PARTICIPANT} WHERE participant > :after ORDER BY participant LIMIT :most"
        return self._rows(question, after=after, most=most)

    def participant(self, participant: int) -> Row:
        """One of them, with its money.

        Raises:
            RequestError: there is none of that number.
        """
        found = self._rows(f"{_PARTICIPANT} WHERE participant = :participant", participant=participant)
        if not found:
            raise RequestError(404, "NotFound", f"there is no participant {participant}")
        money = self._rows(
            "SELECT balance_eur AS balance, arrears_eur AS arrears, credit_limit_eur AS credit_limit FROM balances "
            "WHERE participant = :participant",
            participant=participant,
        )
        return found[0] | (money[0] if money else {})

    # ------------------------------------------------------------------------------------- about everybody

    def days(self, after: int, most: int) -> list[Row]:
        """How far each day is, which everybody may know; so there is no volume among it."""
        question = (
            "SELECT day, starts_at, slots_cleared, is_metered, is_settled, is_final FROM days WHERE day IN "
            "(SELECT day FROM known_days WHERE day > :after ORDER BY day LIMIT :most) ORDER BY day"
        )
        return self._rows(question, after=after, most=most)

    def last_days(self, last: int, most: int) -> list[Row]:
        """How far days up to one are, the newest first, and how many kWh were traded."""
        return self.rows(_DAYS, last=last, most=most)

    def known_days(self, first: int, last: int) -> list[int]:
        """Those of which anything is known, in order."""
        question = "SELECT day FROM known_days WHERE day BETWEEN :first AND :last ORDER BY day"
        return [int(row["day"]) for row in self.rows(question, first=first, last=last)]

    def prices(self, day: int) -> list[Row]:
        """Prices and volumes of the call auction."""
        question = (
            "SELECT slot, starts_at, price_eur_per_kwh AS price, volume_kwh AS volume FROM clearing "
            "WHERE market = :market AND day = :day ORDER BY slot"
        )
        return self._rows(question, market=AUCTION, day=day)

    def tariffs(self, day: int) -> list[Row]:
        """As published; other days have the standing tariff."""
        question = (
            "SELECT slot, buy_eur_per_kwh AS buy, sell_eur_per_kwh AS sell FROM tariffs WHERE day = :day ORDER BY slot"
        )
        return self._rows(question, day=day)

    def rules(self, day: int) -> Row:
        """The version of the rules that holds on a day.

        Raises:
            RequestError: there is none yet.
        """
        question = (
            "SELECT first_day, rules_platform_fee / 1e5 AS platform_fee, rules_network_fee / 1e5 AS network_fee, "
            "rules_standing_buy / 1e5 AS standing_buy, rules_standing_sell / 1e5 AS standing_sell, "
            "rules_min_order_energy AS min_order_energy_wh, rules_max_layers AS max_layers, "
            "p.lowest / 1e5 AS lowest_price, p.tick / 1e5 AS price_tick "
            "FROM market_rules_rules_changed CROSS JOIN price_range AS p WHERE first_day <= :day "
            "ORDER BY first_day DESC, block DESC, log_index DESC LIMIT 1"
        )
        found = self._rows(question, day=day)
        if not found:
            raise RequestError(404, "NotFound", f"there are no rules of day {day}")
        return found[0]

    # ------------------------------------------------------------------------------------ about somebody

    def energy(self, participant: int, first: int, last: int) -> list[Row]:
        """Contracted and metered energy; consumption is positive, generation negative."""
        return self._rows(_ENERGY_OF, participant=participant, first=first, last=last, most=MOST_ROWS)

    def orders(self, participant: int, day: int) -> list[Row]:
        """Orders of the call auction and of pools."""
        question = (
            'SELECT market, slot, layer, side, limit_eur_per_kwh AS "limit", energy_kwh AS energy FROM orders '
            "WHERE participant = :participant AND day = :day ORDER BY market, slot, layer LIMIT :most"
        )
        return self._rows(question, participant=participant, day=day, most=MOST_ROWS)

    def settlements(self, participant: int, first: int, last: int) -> list[Row]:
        """What was paid for each day: positive amounts were paid, negative ones received."""
        question = (
            "SELECT day, trade_eur AS trade, imbalance_eur AS imbalance, fees_eur AS fees, deviation_eur AS deviation, "
            "penalty_eur AS penalty, paid_eur AS paid FROM settlements "
            "WHERE participant = :participant AND day BETWEEN :first AND :last ORDER BY day LIMIT :most"
        )
        return self._rows(question, participant=participant, first=first, last=last, most=MOST_ROWS)

    def transfers(self, participant: int) -> list[Row]:
        """Deposits (positive) and withdrawals, the newest first."""
        question = (
            'SELECT at, how, amount_eur AS amount, transaction_hash AS "transaction" FROM transfers '
            "WHERE participant = :participant ORDER BY at DESC, transaction_hash DESC LIMIT :most"
        )
        return self._rows(question, participant=participant, most=MOST_ROWS)

    def coin_balance(self, participant: int) -> str:
        """A member's NRGcoins."""
        rows = self._rows("SELECT coins FROM coin_balances WHERE participant = :participant", participant=participant)
        return str(rows[0]["coins"]) if rows else _decimal(0, COIN_DECIMALS)

    def coins(self, participant: int) -> list[Row]:
        """NRGcoins of a member's days, the newest first."""
        question = (
            "SELECT day, minted, charged FROM coins WHERE participant = :participant ORDER BY day DESC LIMIT :most"
        )
        return self._rows(question, participant=participant, most=MOST_ROWS)

    def coin_transfers(self, participant: int) -> list[Row]:
        """NRGcoins that a member was given (positive) or gave, the newest first."""
        question = (
            'SELECT at, other, coins, transaction_hash AS "transaction" FROM coin_transfers '
            "WHERE participant = :participant ORDER BY block DESC, log_index DESC LIMIT :most"
        )
        return self._rows(question, participant=participant, most=MOST_ROWS)

    def escrows(self, participant: int) -> list[Row]:
        """A member's trades in escrow, the newest first."""
        question = (
            "SELECT number, day, buyer, seller, slots, energy_kwh_per_period AS energy, price_eur_per_kwh AS price, "
            "state, to_seller_eur AS to_seller, to_buyer_eur AS to_buyer, delivered_kwh AS delivered, "
            "buyer_key, seller_key, mediator FROM escrows "
            "WHERE buyer = :participant OR seller = :participant ORDER BY number DESC LIMIT :most"
        )
        return [
            row | {"slots": str(row["slots"])} for row in self._rows(question, participant=participant, most=MOST_ROWS)
        ]


_ENERGY = ("import_capacity", "export_capacity", "volume", "contracted", "metered", "energy", "delivered")
_MONEY = (
    *("balance", "arrears", "credit_limit", "trade", "imbalance", "fees", "deviation", "penalty", "paid", "amount"),
    *("to_seller", "to_buyer"),
)
_COINS = ("coins", "minted", "charged")
_PER_WH = ("buy", "sell", "platform_fee", "network_fee", "standing_buy", "standing_sell")
_PRICES = ("price", "limit", "lowest_price", "price_tick")


def _exact(row: Row) -> Row:
    """A row with the integers again that its view divides: a float below 2^53 gives back the very same one."""
    found: Row = {}
    for name, value in row.items():
        if name in _ENERGY:
            found[f"{name}_wh"] = None if value is None else round(value * 1_000)
        elif name in _MONEY:
            found[name] = None if value is None else _decimal(round(value * 10**8), 8)
        elif name in _COINS:
            found[name] = _decimal(round(value * 10**COIN_DECIMALS), COIN_DECIMALS)
        elif name in _PRICES:
            found[name] = None if value is None else price_per_kwh(UnitsPerWh(round(value * 10**PRICE_DECIMALS)))
        elif name in _PER_WH:
            found[name] = None if value is None else _decimal(round(value * 10**PRICE_DECIMALS), PRICE_DECIMALS)
        elif name.startswith("is_"):
            found[name] = bool(value)
        else:
            found[name] = value
    return found


def _decimal(count: int, places: int) -> str:
    whole, rest = divmod(abs(count), 10**places)
    return f"{'-' if count < 0 else ''}{whole}.{rest:0{places}d}"


def structs(kept: str) -> list[list[Any]]:
    """A list of structs of an event, as the index keeps it: each of them is a list in a string again."""
    return [json.loads(one) if isinstance(one, str) else list(one) for one in json.loads(kept)]
