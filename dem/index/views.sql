-- What people ask for, in kWh, EUR and EUR/kWh, times in UTC. The integers behind it are in the tables.

CREATE VIEW names AS
SELECT a.id AS participant, m.name
FROM participant_registry_admitted AS a LEFT JOIN member AS m ON m.account = a.account;

CREATE VIEW participants AS
WITH
  kind (number, name) AS (VALUES
    (0, 'none'), (1, 'fund'), (2, 'clearing_house'), (3, 'fallback_supplier'), (4, 'operator'), (5, 'grid_operator'),
    (6, 'consumer'), (7, 'prosumer'), (8, 'intermediary'), (9, 'wholesale_desk')),
  status (number, name) AS (VALUES (0, 'none'), (1, 'applied'), (2, 'admitted'), (3, 'suspended'), (4, 'exited')),
  -- The day in delivery at the newest block. An index of recorded events knows no times: there every change holds.
  today (day) AS MATERIALIZED (
    SELECT ((SELECT max(time) FROM header) - opening) / (period_seconds * periods_per_day) + 1 FROM calendar)
SELECT
  a.id AS participant,
  n.name AS name,
  kind.name AS kind,
  coalesce((
    SELECT status.name FROM participant_registry_status_changed AS c JOIN status ON status.number = c.status
    WHERE c.id = a.id ORDER BY c.block DESC, c.log_index DESC LIMIT 1
  ), 'admitted') AS status,
  a.first_day,
  coalesce((
    SELECT c.import_capacity FROM participant_registry_connection_changed AS c CROSS JOIN today
    WHERE c.id = a.id AND c.first_day <= coalesce(today.day, c.first_day) ORDER BY c.block DESC, c.log_index DESC LIMIT 1
  ), (
    SELECT p.import_capacity FROM participant_registry_applied AS p
    WHERE p.account = a.account AND (p.block, p.log_index) < (a.block, a.log_index)
    ORDER BY p.block DESC, p.log_index DESC LIMIT 1
  )) / 1000.0 AS import_capacity_kwh,
  coalesce((
    SELECT c.export_capacity FROM participant_registry_connection_changed AS c CROSS JOIN today
    WHERE c.id = a.id AND c.first_day <= coalesce(today.day, c.first_day) ORDER BY c.block DESC, c.log_index DESC LIMIT 1
  ), (
    SELECT p.export_capacity FROM participant_registry_applied AS p
    WHERE p.account = a.account AND (p.block, p.log_index) < (a.block, a.log_index)
    ORDER BY p.block DESC, p.log_index DESC LIMIT 1
  )) / 1000.0 AS export_capacity_kwh,
  coalesce((
    SELECT r.account FROM participant_registry_account_replaced AS r
    WHERE r.id = a.id ORDER BY r.block DESC, r.log_index DESC LIMIT 1
  ), a.account) AS account,
  coalesce((
    SELECT m.meter FROM participant_registry_meter_replaced AS m
    WHERE m.id = a.id ORDER BY m.block DESC, m.log_index DESC LIMIT 1
  ), a.meter) AS meter,
  datetime(b.time, 'unixepoch') AS admitted_at
FROM participant_registry_admitted AS a
JOIN kind ON kind.number = a.kind
JOIN names AS n ON n.participant = a.id
JOIN block AS b ON b.number = a.block;

-- Meters from when on and until when, with the registers noted at installation and removal (rule 12.10). Other keys of the
-- same meter are left out.
CREATE VIEW meters AS
SELECT
  m.id AS participant,
  n.name AS name,
  m.meter,
  datetime(opening + ((m.day - 1) * periods_per_day + m.slot) * period_seconds, 'unixepoch') AS begins_at,
  m.import_wh / 1000.0 AS opening_import_kwh,
  m.export_wh / 1000.0 AS opening_export_kwh,
  datetime(opening + ((r.day - 1) * periods_per_day + r.slot) * period_seconds, 'unixepoch') AS ends_at,
  r.import_wh / 1000.0 AS closing_import_kwh,
  r.export_wh / 1000.0 AS closing_export_kwh
FROM (
  SELECT id, meter, first_day AS day, 0 AS slot, NULL AS import_wh, NULL AS export_wh
  FROM participant_registry_admitted WHERE meter <> '0x0000000000000000000000000000000000000000'
  UNION ALL
  SELECT id, meter, day, slot, import_wh, export_wh FROM meters_meter_installed
) AS m
CROSS JOIN calendar
JOIN names AS n ON n.participant = m.id
LEFT JOIN meters_meter_removed AS r ON r.id = m.id AND r.meter = m.meter;

-- The prices that orders can name: the lowest, and how far they are apart, units/Wh. Tables count prices from the lowest one.
-- A market of an older version told none: its prices count from zero.
CREATE VIEW price_range AS
SELECT coalesce(max(lowest), 0) AS lowest, coalesce(max(tick), 100) AS tick FROM market_rules_price_range_set;

-- Prices and volumes of the call auction and the pools.
CREATE VIEW clearing AS
SELECT
  contract AS market,
  day,
  slot,
  datetime(opening + ((day - 1) * periods_per_day + slot) * period_seconds, 'unixepoch') AS starts_at,
  CASE WHEN volume <> 0 THEN (p.lowest + price * p.tick) / 1e5 END AS price_eur_per_kwh,
  volume / 1e3 AS volume_kwh
FROM call_auction_cleared CROSS JOIN calendar CROSS JOIN price_range AS p;

-- Orders of the call auction and the pools that were not replaced or cancelled. They stay when the day is cleared.
CREATE VIEW orders AS
SELECT
  contract AS market,
  id AS participant,
  day,
  place % periods_per_day AS slot,
  place / periods_per_day AS layer,
  CASE WHEN is_ask = 1 THEN 'ask' ELSE 'bid' END AS side,
  (p.lowest + sent.tick * p.tick) / 1e5 AS limit_eur_per_kwh,
  energy_wh / 1e3 AS energy_kwh
FROM (
  SELECT *, row_number() OVER (PARTITION BY contract, id, day, place ORDER BY block DESC, log_index DESC) AS age
  FROM order_lane
) AS sent CROSS JOIN calendar CROSS JOIN price_range AS p
WHERE age = 1 AND energy_wh > 0;

CREATE VIEW intraday_trades AS
SELECT
  CASE WHEN t.packed >> 44 & 1 = 1 THEN taker ELSE maker END AS buyer,
  CASE WHEN t.packed >> 44 & 1 = 1 THEN maker ELSE taker END AS seller,
  day,
  t.packed >> 45 AS slot,
  (p.lowest + (t.packed >> 32 & 4095) * p.tick) / 1e5 AS price_eur_per_kwh,
  energy / 1e3 AS energy_kwh,
  datetime(time, 'unixepoch') AS traded_at
FROM (SELECT *, CAST(number AS BIGINT) AS packed FROM continuous_market_traded) AS t
JOIN block AS b ON b.number = t.block
CROSS JOIN price_range AS p;

CREATE VIEW bilateral_contracts AS
SELECT
  c.number AS contract,
  c.buyer,
  c.seller,
  c.terms_price / 1e5 AS price_eur_per_kwh,
  c.terms_energy / 1e3 AS energy_kwh_per_period,
  c.terms_first_period / periods_per_day + 1 AS first_day,
  coalesce(
    (SELECT e.last_day FROM bilateral_contracts_ended AS e WHERE e.number = c.number
     ORDER BY e.block DESC, e.log_index DESC LIMIT 1),
    (c.terms_end_period - 1) / periods_per_day + 1
  ) AS last_day
FROM bilateral_contracts_concluded AS c CROSS JOIN calendar;

-- Trades in escrow (rule 16), and what became of each: released to the seller, split by two keys, or expired, so that the
-- readings paid. The periods are a bit each of a number.
CREATE VIEW escrows AS
SELECT
  f.number,
  f.day,
  f.buyer,
  f.seller,
  f.terms_slots AS slots,
  f.terms_energy / 1e3 AS energy_kwh_per_period,
  f.terms_price / 1e5 AS price_eur_per_kwh,
  CASE
    WHEN e.number IS NOT NULL THEN 'expired' WHEN r.number IS NULL THEN 'funded'
    WHEN r.to_buyer = 0 THEN 'released' ELSE 'split'
  END AS state,
  coalesce(r.to_seller, e.to_seller) / 1e8 AS to_seller_eur,
  coalesce(r.to_buyer, e.to_buyer) / 1e8 AS to_buyer_eur,
  e.delivered / 1e3 AS delivered_kwh,
  f.terms_buyer_key AS buyer_key,
  f.terms_seller_key AS seller_key,
  f.terms_mediator AS mediator
FROM escrow_trades_funded AS f
LEFT JOIN escrow_trades_released AS r ON r.number = f.number
LEFT JOIN escrow_trades_released_by_readings AS e ON e.number = f.number;

-- NRGcoins of each participant and final day, as corrected last (rule 17).
CREATE VIEW coins AS
SELECT id AS participant, day, minted / 1e6 AS minted, charged / 1e6 AS charged
FROM (
  SELECT *, row_number() OVER (PARTITION BY id, day ORDER BY block DESC, log_index DESC) AS age FROM (
    SELECT id, day, minted, charged, block, log_index FROM nrg_coin_credited
    UNION ALL SELECT id, day, minted, charged, block, log_index FROM nrg_coin_coins_corrected
  ) AS told
) AS latest
WHERE age = 1;

-- NRGcoins that were given to a participant (positive) or that it gave.
CREATE VIEW coin_transfers AS
SELECT
  m."to" AS participant, m."from" AS other, datetime(time, 'unixepoch') AS at, amount / 1e6 AS coins, transaction_hash,
  m.block, m.log_index
FROM nrg_coin_coins_moved AS m JOIN block AS b ON b.number = m.block
UNION ALL
SELECT m."from", m."to", datetime(time, 'unixepoch'), -amount / 1e6, transaction_hash, m.block, m.log_index
FROM nrg_coin_coins_moved AS m JOIN block AS b ON b.number = m.block;

-- NRGcoins that each participant has, below zero where more was charged than there was: of each day what was credited, or
-- corrected last, and what was given.
CREATE VIEW coin_balances AS
SELECT
  n.id AS participant,
  (
    (SELECT coalesce(sum(minted - charged), 0) FROM nrg_coin_credited AS c
     WHERE c.id = n.id AND NOT EXISTS (
       SELECT 1 FROM nrg_coin_coins_corrected AS k WHERE k.id = c.id AND k.day = c.day))
    + (SELECT coalesce(sum(minted - charged), 0) FROM nrg_coin_coins_corrected AS c
       WHERE c.id = n.id AND NOT EXISTS (
         SELECT 1 FROM nrg_coin_coins_corrected AS k
         WHERE k.id = c.id AND k.day = c.day AND (k.block, k.log_index) > (c.block, c.log_index)))
    + (SELECT coalesce(sum(amount), 0) FROM nrg_coin_coins_moved AS m WHERE m."to" = n.id)
    - (SELECT coalesce(sum(amount), 0) FROM nrg_coin_coins_moved AS m WHERE m."from" = n.id)
  ) / 1e6 AS coins
FROM participant_registry_admitted AS n
WHERE n.id > 5;

-- Net energy of each participant: consumption positive, generation negative. Metered: as known now.
CREATE VIEW energy AS
WITH
  metered AS (
    SELECT *, row_number() OVER (PARTITION BY id, day, slot ORDER BY block DESC, log_index DESC) AS age
    FROM (SELECT * FROM reading UNION ALL SELECT * FROM estimate) AS told
  ),
  contracted AS (
    SELECT *, row_number() OVER (PARTITION BY id, day, slot ORDER BY block DESC, log_index DESC) AS age FROM scheduled
  ),
  known AS (
    SELECT id, day, slot, 0 AS contracted_wh, net_wh AS metered_wh, is_estimated, is_substituted
    FROM metered WHERE age = 1
    UNION ALL SELECT id, day, slot, net_wh, 0, 0, 0 FROM contracted WHERE age = 1
  )
SELECT
  id AS participant,
  day,
  slot,
  sum(contracted_wh) / 1e3 AS contracted_kwh,
  sum(metered_wh) / 1e3 AS metered_kwh,
  max(is_estimated) AS is_estimated,
  max(is_substituted) AS is_substituted
FROM known GROUP BY id, day, slot;

-- Guarantees of origin: what meters have shown to be fed in on final days, by what it comes from (rule 12.6).
CREATE VIEW guarantees AS
WITH
  source (number, name) AS (VALUES
    (1, 'sun'), (2, 'wind'), (3, 'water'), (4, 'biomass'), (5, 'combined_heat'), (6, 'storage'), (7, 'other')),
  fed_in AS (
    SELECT participant, day, sum(-metered_kwh) AS fed_in_kwh FROM energy
    WHERE metered_kwh < 0 AND is_estimated = 0 AND is_substituted = 0
    AND day IN (SELECT day FROM market_rules_day_final)
    GROUP BY participant, day
  ),
  noted AS (
    SELECT f.participant, f.day, f.fed_in_kwh, s.source AS number, row_number() OVER (
      PARTITION BY f.participant, f.day, s.meter ORDER BY s.block DESC, s.log_index DESC
    ) AS age
    FROM fed_in AS f JOIN meters_source_noted AS s ON s.id = f.participant AND s.first_day <= f.day
  )
SELECT
  noted.participant,
  n.name AS name,
  noted.day,
  CASE WHEN count(DISTINCT noted.number) > 1 THEN 'mixed' ELSE max(source.name) END AS source,
  max(noted.fed_in_kwh) AS fed_in_kwh
FROM noted
JOIN source ON source.number = noted.number
JOIN names AS n ON n.participant = noted.participant
WHERE noted.age = 1
GROUP BY noted.participant, n.name, noted.day;

-- What meters have shown and no period is billed for yet, by member.
CREATE VIEW unbilled AS
SELECT id AS participant, import_wh / 1e3 AS import_kwh, export_wh / 1e3 AS export_kwh, strips AS estimated_strips
FROM (
  SELECT *, row_number() OVER (PARTITION BY id ORDER BY block DESC, log_index DESC) AS age
  FROM meters_unbilled_changed
) AS told
WHERE age = 1;

-- As published. Other days have the standing tariff of the rules.
CREATE VIEW tariffs AS
SELECT day, slot, (buy + lowest) / 1e5 AS buy_eur_per_kwh, (sell + lowest) / 1e5 AS sell_eur_per_kwh
FROM tariff CROSS JOIN price_range;

-- What each participant pays (positive) or receives for a day, on the readings as settled last.
CREATE VIEW settlements AS
SELECT
  s.id AS participant,
  (SELECT name FROM names AS n WHERE n.participant = s.id) AS name,
  s.day,
  s.trade / 1e8 AS trade_eur,
  s.imbalance / 1e8 AS imbalance_eur,
  s.fees / 1e8 AS fees_eur,
  s.deviation / 1e8 AS deviation_eur,
  coalesce(p.penalty, 0) / 1e8 AS penalty_eur,
  (s.trade + s.imbalance + s.fees + s.deviation + coalesce(p.penalty, 0)) / 1e8 AS paid_eur
FROM (
  SELECT *, row_number() OVER (PARTITION BY id, day ORDER BY block DESC, log_index DESC) AS age
  FROM settlement_settled
) AS s
LEFT JOIN settlement_penalty_charged AS p ON p.block = s.block AND p.log_index = s.log_index + 1
WHERE s.age = 1;

-- Money that came (positive) or went besides the settlements.
CREATE VIEW side_payments AS
SELECT id AS participant, day, 'premium' AS what, premium / 1e8 AS amount_eur
FROM balancing_fund_rewarded WHERE premium > 0
UNION ALL SELECT id, day, 'reward', reward / 1e8 FROM balancing_fund_rewarded WHERE reward > 0
UNION ALL SELECT client, day, 'commission', -amount / 1e8 FROM intermediaries_commission_paid WHERE amount > 0
UNION ALL SELECT intermediary, day, 'commission', amount / 1e8 FROM intermediaries_commission_paid WHERE amount > 0
UNION ALL SELECT buyer, day, 'escrow', -to_seller_eur FROM escrows WHERE to_seller_eur > 0
UNION ALL SELECT seller, day, 'escrow', to_seller_eur FROM escrows WHERE to_seller_eur > 0
UNION ALL SELECT id, day, 'taken back', -units / 1e8 FROM shortfalls_taken_back
UNION ALL SELECT id, day, 'made good', units / 1e8 FROM shortfalls_made_good
UNION ALL SELECT id, day, 'restored', units / 1e8 FROM shortfalls_restored
UNION ALL SELECT id, day, 'late reconciliation', -(to_grid + to_supplier) / 1e8 FROM late_reconciliation_reconciled
UNION ALL SELECT id, day, 'true-up', -(to_grid + to_supplier) / 1e8 FROM late_reconciliation_trued_up
UNION ALL SELECT 5, day, 'true-up', to_grid / 1e8 FROM late_reconciliation_trued_up WHERE to_grid <> 0
UNION ALL SELECT 3, day, 'true-up', to_supplier / 1e8 FROM late_reconciliation_trued_up WHERE to_supplier <> 0
UNION ALL SELECT 5, day, 'late reconciliation', to_grid / 1e8 FROM late_reconciliation_reconciled WHERE to_grid <> 0
UNION ALL
SELECT 3, day, 'late reconciliation', to_supplier / 1e8 FROM late_reconciliation_reconciled WHERE to_supplier <> 0;

-- Deposits (positive) and withdrawals.
CREATE VIEW transfers AS
SELECT
  id AS participant,
  datetime(time, 'unixepoch') AS at,
  CASE payment_reference
    WHEN '0x0000000000000000000000000000000000000000000000000000000000000000' THEN 'from wallet' ELSE 'from bank'
  END AS how,
  amount / 1e8 AS amount_eur,
  transaction_hash
FROM accounts_deposited JOIN block AS b ON b.number = block
UNION ALL
SELECT id, datetime(time, 'unixepoch'), CASE WHEN to_bank = 1 THEN 'to bank' ELSE 'to wallet' END, -amount / 1e8, transaction_hash
FROM accounts_withdrawn JOIN block AS b ON b.number = block;

-- Free and locked money together: how it divides depends on orders, not on events about money. The fallback supplier (3) has
-- advanced the arrears of all others.
CREATE VIEW balances AS
SELECT
  id AS participant,
  name,
  kind,
  (
    (SELECT coalesce(sum(amount), 0) FROM accounts_deposited AS f WHERE f.id = m.id)
    - (SELECT coalesce(sum(amount), 0) FROM accounts_withdrawn AS f WHERE f.id = m.id)
    + (SELECT coalesce(sum(amount), 0) FROM accounts_posted AS f WHERE f.id = m.id)
    -- Shortfalls: from and to the fallback supplier (3), and what is set aside with the clearing house (2).
    - (SELECT coalesce(sum(units), 0) FROM shortfalls_taken_back AS f WHERE f.id = m.id)
    + (SELECT coalesce(sum(units), 0) FROM shortfalls_made_good AS f WHERE f.id = m.id)
    + (SELECT coalesce(sum(units), 0) FROM shortfalls_restored AS f WHERE f.id = m.id)
    + CASE id
      WHEN 2 THEN
        (SELECT coalesce(sum(units), 0) FROM shortfalls_set_aside)
        - (SELECT coalesce(sum(units), 0) FROM shortfalls_made_good)
        - (SELECT coalesce(sum(returned), 0) FROM shortfalls_reopened)
      WHEN 3 THEN
        (SELECT coalesce(sum(units), 0) FROM shortfalls_taken_back)
        - (SELECT coalesce(sum(units), 0) FROM shortfalls_set_aside)
        + (SELECT coalesce(sum(returned), 0) FROM shortfalls_reopened)
        - (SELECT coalesce(sum(units), 0) FROM shortfalls_restored)
        - (SELECT coalesce(sum(arrears), 0) FROM (
          SELECT arrears, row_number() OVER (PARTITION BY id ORDER BY block DESC, log_index DESC) AS age
          FROM accounts_arrears_changed
        ) AS told WHERE age = 1)
      ELSE 0
    END
    + arrears
  ) / 1e8 AS balance_eur,
  arrears / 1e8 AS arrears_eur,
  credit_limit / 1e8 AS credit_limit_eur
FROM (
  SELECT
    participant AS id,
    name,
    kind,
    coalesce((
      SELECT c.arrears FROM accounts_arrears_changed AS c
      WHERE c.id = p.participant ORDER BY c.block DESC, c.log_index DESC LIMIT 1
    ), 0) AS arrears,
    coalesce((
      SELECT c."limit" FROM accounts_credit_limit_set AS c
      WHERE c.id = p.participant ORDER BY c.block DESC, c.log_index DESC LIMIT 1
    ), 0) AS credit_limit
  FROM participants AS p
) AS m;

-- Days of which anything is known. The next one is looked up, for there are far fewer days than sheets.
CREATE VIEW known_days AS
WITH RECURSIVE known (day) AS (
  SELECT CAST(0 AS BIGINT)
  UNION ALL
  SELECT (
    SELECT min(later.day) FROM (
      SELECT min(day) AS day FROM fallback_supply_tariffs_published WHERE day > known.day
      UNION ALL SELECT min(day) FROM call_auction_sheet_accepted WHERE day > known.day
      UNION ALL SELECT min(day) FROM call_auction_cleared WHERE day > known.day
      UNION ALL SELECT min(day) FROM meter_readings_metering_closed WHERE day > known.day
    ) AS later
  ) FROM known WHERE day IS NOT NULL
)
SELECT day FROM known WHERE day > 0;

-- How far each day is.
CREATE VIEW days AS
SELECT
  day,
  datetime(opening + (day - 1) * periods_per_day * period_seconds, 'unixepoch') AS starts_at,
  (SELECT count(*) FROM call_auction_cleared AS c WHERE c.day = known.day AND contract = 'CallAuction') AS slots_cleared,
  (SELECT sum(volume) / 1e3 FROM call_auction_cleared AS c WHERE c.day = known.day AND contract = 'CallAuction')
    AS volume_kwh,
  day IN (SELECT day FROM meter_readings_metering_closed) AS is_metered,
  day IN (SELECT day FROM settlement_day_settled) AS is_settled,
  day IN (SELECT day FROM market_rules_day_final) AS is_final
FROM known_days AS known CROSS JOIN calendar;
