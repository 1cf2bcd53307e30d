// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IAccounts, Posting} from "../interfaces/IAccounts.sol";
import {ICallAuction} from "../interfaces/ICallAuction.sol";
import {IFallbackSupply} from "../interfaces/IFallbackSupply.sol";
import {IMarketRules, Rules} from "../interfaces/IMarketRules.sol";
import {Positions} from "../interfaces/IMarket.sol";
import {IMeterReadings} from "../interfaces/IMeterReadings.sol";
import {ISchedule} from "../interfaces/ISchedule.sol";
import {ISettlement} from "../interfaces/ISettlement.sol";
import {ImbalancePrice} from "../libraries/ImbalancePrice.sol";
import {UniformPrice} from "../libraries/UniformPrice.sol";
import {Calendar, CalendarParameters} from "../types/Calendar.sol";
import {BALANCING_FUND, CLEARING_HOUSE, FALLBACK_SUPPLIER, GRID_OPERATOR, OPERATOR} from "../types/Members.sol";
import {Strips} from "../types/Strips.sol";
import {Tariffs} from "../types/Tariffs.sol";
import {Energy, Price, UNITS_PER_TICK} from "../types/Units.sol";

/// @title Settlement
/// @dev Guarded against re-entry because the schedule calls every market that is plugged into it.
contract Settlement is ISettlement, Calendar, ReentrancyGuard {
    using SafeCast for int256;
    using SafeCast for uint256;

    struct DayState {
        uint16 day;
        bool isSettled;
        /// Next member to be settled.
        uint32 nextId;
        /// Version of the readings this walk is based on.
        uint32 version;
        /// Sums of this walk so far.
        uint64 traded;
        int128 imbalance;
        uint128 deviation;
    }

    /// What has been posted for a day to those who are paid from the clearing house, money units.
    struct Paid {
        int128 fallbackSupply;
        int128 fund;
        uint128 operator;
        uint128 grid;
    }

    /// What has been posted to a member for a day, money units.
    struct Posted {
        uint16 day;
        int128 payment;
    }

    /// Prices of a day by slot: what the short pay in bits 127..64 and the long receive in bits 63..0, as `_side` packs it;
    /// and the area's imbalance, Wh.
    struct Prices {
        uint256[] slots;
        int256[] area;
    }

    /// One member's day, money units.
    struct Bill {
        int256 imbalance;
        uint256 deviation;
    }

    /// Flag above a price.
    uint256 private constant HELPS = 1 << 32;

    IMarketRules private immutable RULES;
    IAccounts private immutable ACCOUNTS;
    ISchedule private immutable SCHEDULE;
    ICallAuction private immutable AUCTION;
    IMeterReadings private immutable READINGS;
    IFallbackSupply private immutable FALLBACK;

    mapping(uint256 ringPlace => DayState) private _days;
    mapping(uint256 ringPlace => Paid) private _paid;
    mapping(uint256 place => Posted) private _posted;

    constructor(
        CalendarParameters memory calendar_,
        IMarketRules rules,
        IAccounts accounts,
        ISchedule schedule,
        ICallAuction auction,
        IMeterReadings readings,
        IFallbackSupply fallbackSupply
    ) Calendar(calendar_) {
        RULES = rules;
        ACCOUNTS = accounts;
        SCHEDULE = schedule;
        AUCTION = auction;
        READINGS = readings;
        FALLBACK = fallbackSupply;
    }

    /// @inheritdoc ISettlement
    // The guard shuts out re-entry; what slither still sees are the two views, and no market decides by those.
    // slither-disable-next-line reentrancy-no-eth
    function settle(uint32 day, uint256 count) external nonReentrant {
        if (count == 0) revert NoMembersGiven();
        DayState memory state = _begin(day);
        uint256 left = uint256(READINGS.membersOf(day)) + 1 - state.nextId;
        if (count > left) count = left;

        Rules memory rules = RULES.rulesOf(day);
        Prices memory prices = _pricesOf(day, rules);
        if (state.nextId == 1) _postFallback(day, state.version, prices);
        _settleMembers(day, count, state, rules, prices);
        if (count == left) _payOut(day, state, rules);
        _days[day % Strips.RING] = state;
    }

    /// @inheritdoc ISettlement
    function finalize(uint32 day) external {
        if (!isSettled(day)) revert NotSettled(day);
        if (block.timestamp < correctionsCloseAt(day)) {
            revert CorrectionsOpen(day, correctionsCloseAt(day), block.timestamp);
        }
        RULES.markFinal(day);
    }

    /// @inheritdoc ISettlement
    function isSettled(uint256 day) public view returns (bool) {
        DayState storage state = _days[day % Strips.RING];
        return state.day == day && state.isSettled && state.version == READINGS.versionOf(day);
    }

    /// @inheritdoc ISettlement
    function nextMember(uint256 day) external view returns (uint32) {
        DayState storage state = _days[day % Strips.RING];
        return state.day == day && state.nextId > 0 ? state.nextId : 1;
    }

    /// Begins a walk, goes on with one, or begins again where the readings have changed meanwhile: as every member is
    /// posted the difference to what it was posted before, walking twice is harmless.
    function _begin(uint32 day) private returns (DayState memory state) {
        bool isCleared = SCHEDULE.isComplete(day);
        bool isMetered = READINGS.isClosed(day);
        if (!isCleared || !isMetered) revert NotReadyToSettle(day, isCleared, isMetered);
        uint256 version = READINGS.versionOf(day);
        state = _days[day % Strips.RING];
        if (state.day < day) delete _paid[day % Strips.RING];
        else if (state.version == version && state.isSettled) revert AlreadySettled(day);
        if (state.day < day || state.version != version) {
            state = DayState(uint16(day), false, 1, version.toUint32(), 0, 0, 0);
        }
    }

    function _pricesOf(uint256 day, Rules memory rules) private view returns (Prices memory prices) {
        UniformPrice.Outcome[] memory outcomes = AUCTION.outcomes(day);
        uint256[] memory tariffs = FALLBACK.tariffsOf(day);
        prices.area = READINGS.areaNet(day);
        prices.slots = new uint256[](PERIODS_PER_DAY);
        for (uint256 slot = 0; slot < PERIODS_PER_DAY; ++slot) {
            (uint256 buy, uint256 sell) = _tariff(tariffs, slot);
            UniformPrice.Outcome memory o = outcomes[slot];
            uint256 middle = ImbalancePrice.mid(buy, sell, uint256(o.price) * UNITS_PER_TICK, o.volume > 0);
            int256 area = prices.area[slot];
            (uint256 short, uint256 long) = ImbalancePrice.prices(rules.imbalancePricing, area, buy, sell, middle);
            // An imbalance against the area's own brings the area nearer to balance.
            prices.slots[slot] = (_side(short, area < 0) << 64) | _side(long, area > 0);
        }
    }

    function _settleMembers(uint32 day, uint256 count, DayState memory state, Rules memory rules, Prices memory prices)
        private
    {
        uint32 firstId = state.nextId;
        Positions memory positions = SCHEDULE.collect(day, firstId, count);
        uint256[][] memory metered = READINGS.netOf(day, firstId, count);
        Posting[] memory postings = new Posting[](count + 1);
        int256 collected = 0;
        for (uint256 i = 0; i < count; ++i) {
            Bill memory bill = _billOf(positions.net[i], metered[i], rules, prices);
            uint256 fees = positions.traded[i] * Price.unwrap(rules.platformFee + rules.networkFee);
            int256 payment = positions.payment[i] + bill.imbalance + int256(fees + bill.deviation);
            state.traded += positions.traded[i].toUint64();
            state.imbalance += bill.imbalance.toInt128();
            state.deviation += bill.deviation.toUint128();
            uint32 id = firstId + uint32(i);
            int256 change = payment - _replacePosted(id, day, payment);
            collected += change;
            postings[i] = Posting(id, (-change).toInt128(), positions.release[i].toUint128());
            emit Settled(id, day, positions.payment[i], bill.imbalance, fees, bill.deviation);
        }
        postings[count] = Posting(CLEARING_HOUSE, collected.toInt128(), 0);
        ACCOUNTS.post(postings);
        state.nextId = firstId + uint32(count);
    }

    /// @return bill imbalance payment and deviation charge of one member over the day.
    function _billOf(uint256[] memory contracted, uint256[] memory metered, Rules memory rules, Prices memory prices)
        private
        view
        returns (Bill memory bill)
    {
        uint256 toleranceFixed = Energy.unwrap(rules.toleranceFixed);
        uint256 toleranceShare = rules.toleranceShare;
        bool chargeHelpful = rules.chargeHelpful;
        uint256 charged = 0;
        // Energies have 39 bits, prices 20, a day 96 periods: nothing overflows.
        unchecked {
            for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
                uint256 c = _lanesOf(contracted, strip);
                uint256 m = _lanesOf(metered, strip);
                if (c == m) continue;
                for (uint256 k = 0; k < Strips.LANES; ++k) {
                    int256 contractedWh = Strips.signedLane(c, k);
                    int256 imbalanceWh = Strips.signedLane(m, k) - contractedWh;
                    if (imbalanceWh == 0) continue;
                    uint256 slot = strip * Strips.LANES + k;
                    uint256 side = imbalanceWh > 0 ? prices.slots[slot] >> 64 : prices.slots[slot];
                    bill.imbalance += imbalanceWh * int256(uint256(uint32(side)));
                    if (!chargeHelpful && side & HELPS != 0) continue;
                    charged += ImbalancePrice.chargeableDown(imbalanceWh, contractedWh, toleranceFixed, toleranceShare);
                }
            }
        }
        bill.deviation = charged * Price.unwrap(rules.deviationRate);
    }

    /// The fallback supplier comes first: what the area owes it is there before it advances anything for a member.
    function _postFallback(uint32 day, uint32 version, Prices memory prices) private {
        emit SettlementBegun(day, version);
        int256 due = _fallbackDue(day, prices);
        Paid storage paid = _paid[day % Strips.RING];
        int128 change = (due - paid.fallbackSupply).toInt128();
        paid.fallbackSupply = due.toInt128();
        Posting[] memory postings = new Posting[](2);
        postings[0] = Posting(FALLBACK_SUPPLIER, change, 0);
        postings[1] = Posting(CLEARING_HOUSE, -change, 0);
        ACCOUNTS.post(postings);
    }

    /// Pays from the clearing house what the members paid into it.
    function _payOut(uint32 day, DayState memory state, Rules memory rules) private {
        Paid memory paid = _paid[day % Strips.RING];
        // What members pay for imbalance beyond the fallback supply is never negative, whatever the pricing (rule 11).
        int256 fund = int256(state.imbalance) - paid.fallbackSupply + int256(uint256(state.deviation));
        uint256 operator = uint256(state.traded) * Price.unwrap(rules.platformFee);
        uint256 grid = uint256(state.traded) * Price.unwrap(rules.networkFee);

        Posting[] memory postings = new Posting[](4);
        postings[0] = Posting(BALANCING_FUND, (fund - paid.fund).toInt128(), 0);
        postings[1] = Posting(OPERATOR, (operator.toInt256() - int256(uint256(paid.operator))).toInt128(), 0);
        postings[2] = Posting(GRID_OPERATOR, (grid.toInt256() - int256(uint256(paid.grid))).toInt128(), 0);
        int256 total = 0;
        for (uint256 i = 0; i < 3; ++i) {
            total += postings[i].amount;
        }
        postings[3] = Posting(CLEARING_HOUSE, (-total).toInt128(), 0);
        _paid[day % Strips.RING] = Paid(paid.fallbackSupply, fund.toInt128(), operator.toUint128(), grid.toUint128());
        ACCOUNTS.post(postings);

        state.isSettled = true;
        emit DaySettled(day, state.version, paid.fallbackSupply, fund, operator, grid);
    }

    /// @return due owed to the fallback supplier for the area's imbalance, money units; negative if it owes.
    function _fallbackDue(uint256 day, Prices memory prices) private view returns (int256 due) {
        uint256[] memory tariffs = FALLBACK.tariffsOf(day);
        for (uint256 slot = 0; slot < PERIODS_PER_DAY; ++slot) {
            (uint256 buy, uint256 sell) = _tariff(tariffs, slot);
            due += prices.area[slot] * int256(prices.area[slot] > 0 ? buy : sell);
        }
    }

    /// @return before what was posted for the day until now.
    function _replacePosted(uint32 id, uint256 day, int256 payment) private returns (int256 before) {
        uint256 place = (uint256(id) << 16) | (day % Strips.RING);
        Posted memory posted = _posted[place];
        if (posted.day == day) before = posted.payment;
        _posted[place] = Posted(uint16(day), payment.toInt128());
    }

    /// @return six signed lanes; zero for a member without an order, or without a meter.
    function _lanesOf(uint256[] memory strips, uint256 strip) private pure returns (uint256) {
        return strips.length == 0 ? Strips.ZERO_LANES : strips[strip];
    }

    function _tariff(uint256[] memory words, uint256 slot) private pure returns (uint256 buy, uint256 sell) {
        return Tariffs.unpack(Strips.lane(words[slot / Strips.LANES], slot % Strips.LANES));
    }

    /// @return a price in units/Wh, and whether an imbalance on this side helps the area, in one word.
    function _side(uint256 price, bool helps) private pure returns (uint256) {
        return helps ? price | HELPS : price;
    }
}
