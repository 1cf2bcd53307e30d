// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IAccounts, Posting} from "../interfaces/IAccounts.sol";
import {ICallAuction} from "../interfaces/ICallAuction.sol";
import {IExchange} from "../interfaces/IExchange.sol";
import {IFallbackSupply} from "../interfaces/IFallbackSupply.sol";
import {IMarketRules, Rules} from "../interfaces/IMarketRules.sol";
import {Positions} from "../interfaces/IMarket.sol";
import {IMeterReadings} from "../interfaces/IMeterReadings.sol";
import {ISchedule} from "../interfaces/ISchedule.sol";
import {ISettlement, SettledDay} from "../interfaces/ISettlement.sol";
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
        /// Wh that may be claimed from the balancing fund.
        uint64 flexible;
        uint64 accurate;
        uint96 penalties;
        /// The member that penalties of this day are passed on from; 0 if there are none.
        uint32 desk;
    }

    /// What has been posted for a day to those who are paid from the clearing house, money units.
    struct Paid {
        int128 fallbackSupply;
        int128 fund;
        uint128 operator;
        uint128 grid;
        uint128 desk;
    }

    /// What has been posted to a member for a day, money units, and what it may claim from the balancing fund, Wh.
    struct Posted {
        uint16 day;
        int128 payment;
        uint56 flexible;
        uint56 accurate;
    }

    /// One member's day, money units; and the contracted energy not kept that is charged, Wh.
    struct Bill {
        int256 imbalance;
        uint256 deviation;
        uint256 charged;
        uint256 penalty;
    }

    /// Imbalance prices of a strip as factors of Strips.dot, flags of the periods in which taking more, and taking less
    /// than contracted is free of the deviation charge because it helps the area, and of those in which the area is short,
    /// and long.
    struct StripPrices {
        uint256 shortEven;
        uint256 shortOdd;
        uint256 longEven;
        uint256 longOdd;
        uint256 freeMore;
        uint256 freeLess;
        uint256 shortArea;
        uint256 longArea;
        /// Penalty rates as factors of Strips.dot; zero where there are none.
        uint256 penaltyEven;
        uint256 penaltyOdd;
    }

    /// Of a strip's imbalance prices in one word: lanes as Tariffs packs them, what the short pay and what the long receive,
    /// units/Wh; above them the periods in which the area is short, and those in which it is long, a bit each.
    uint256 private constant SHORT_AREA = Strips.DAY_SHIFT;
    uint256 private constant LONG_AREA = Strips.DAY_SHIFT + Strips.LANES;

    IMarketRules private immutable RULES;
    IAccounts private immutable ACCOUNTS;
    ISchedule private immutable SCHEDULE;
    ICallAuction private immutable AUCTION;
    IMeterReadings private immutable READINGS;
    IFallbackSupply private immutable FALLBACK;
    IExchange private immutable EXCHANGE;

    mapping(uint256 ringPlace => DayState) private _days;
    mapping(uint256 ringPlace => Paid) private _paid;
    mapping(uint256 place => Posted) private _posted;
    /// Imbalance prices by strip, of the walk that is under way.
    mapping(uint256 place => uint256) private _prices;
    /// Penalty rates by strip, six lanes, of a walk whose day has any.
    mapping(uint256 place => uint256) private _penalties;

    constructor(
        CalendarParameters memory calendar_,
        IMarketRules rules,
        IAccounts accounts,
        ISchedule schedule,
        ICallAuction auction,
        IMeterReadings readings,
        IFallbackSupply fallbackSupply,
        IExchange exchange
    ) Calendar(calendar_) {
        RULES = rules;
        ACCOUNTS = accounts;
        SCHEDULE = schedule;
        AUCTION = auction;
        READINGS = readings;
        FALLBACK = fallbackSupply;
        EXCHANGE = exchange;
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
        if (state.nextId == 1) {
            emit SettlementBegun(day, state.version);
            _beginWalk(day, state, rules);
        }
        _settleMembers(day, count, state, rules);
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
    function dayOf(uint256 day) external view returns (SettledDay memory settled) {
        DayState storage state = _days[day % Strips.RING];
        if (day == 0 || state.day != day) return settled;
        settled.fund = _paid[day % Strips.RING].fund;
        if (!state.isSettled) return settled;
        settled.members = state.nextId - 1;
        settled.flexible = state.flexible;
        settled.accurate = state.accurate;
    }

    /// @inheritdoc ISettlement
    function claimsOf(uint256 day, uint32 firstId, uint256 count)
        external
        view
        returns (uint256[] memory flexible, uint256[] memory accurate)
    {
        flexible = new uint256[](count);
        accurate = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            Posted storage posted = _posted[_postedPlace(firstId + uint32(i), day)];
            if (posted.day == day) (flexible[i], accurate[i]) = (posted.flexible, posted.accurate);
        }
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
            state = DayState(uint16(day), false, 1, version.toUint32(), 0, 0, 0, 0, 0, 0, 0);
        }
    }

    /// Works out the day's imbalance prices, and pays the fallback supplier, who comes first: what the area owes it is there
    /// before it advances anything for a member.
    function _beginWalk(uint32 day, DayState memory state, Rules memory rules) private {
        UniformPrice.Outcome[] memory outcomes = AUCTION.outcomes(day);
        uint256[] memory tariffs = FALLBACK.tariffsOf(day);
        int256[] memory area = READINGS.areaNet(day);
        int256 due = 0;
        for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
            uint256 word = 0;
            for (uint256 k = 0; k < Strips.LANES; ++k) {
                uint256 slot = strip * Strips.LANES + k;
                (uint256 buy, uint256 sell) = Tariffs.unpack(Strips.lane(tariffs[strip], k));
                uint256 middle =
                    ImbalancePrice.mid(buy, sell, outcomes[slot].price * UNITS_PER_TICK, outcomes[slot].volume > 0);
                (uint256 short, uint256 long) =
                    ImbalancePrice.prices(rules.imbalancePricing, area[slot], buy, sell, middle);
                word |= Tariffs.pack(short, long) << (k * Strips.LANE_BITS);
                if (area[slot] > 0) word |= 1 << (SHORT_AREA + k);
                if (area[slot] < 0) word |= 1 << (LONG_AREA + k);
                due += area[slot] * int256(area[slot] > 0 ? buy : sell);
            }
            _prices[_pricePlace(day, strip)] = word;
        }
        _postAhead(day, due, area, state);
    }

    function _settleMembers(uint32 day, uint256 count, DayState memory state, Rules memory rules) private {
        uint32 firstId = state.nextId;
        StripPrices[] memory prices = _loadPrices(day, rules.chargeHelpful, state.desk != 0);
        Positions memory positions = SCHEDULE.collect(day, firstId, count);
        uint256[][] memory metered = READINGS.netOf(day, firstId, count);
        Posting[] memory postings = new Posting[](count + 1);
        int256 collected = 0;
        for (uint256 i = 0; i < count; ++i) {
            Bill memory bill = _billOf(positions.net[i], metered[i], rules, prices);
            uint256 fees = positions.traded[i] * Price.unwrap(rules.platformFee + rules.networkFee);
            int256 payment = positions.payment[i] + bill.imbalance + int256(fees + bill.deviation + bill.penalty);
            state.traded += positions.traded[i].toUint64();
            state.imbalance += bill.imbalance.toInt128();
            state.deviation += bill.deviation.toUint128();
            state.penalties += bill.penalty.toUint96();
            uint32 id = firstId + uint32(i);
            Posted memory posted = Posted(uint16(day), payment.toInt128(), 0, 0);
            _setClaims(posted, positions, i, metered[i], bill.charged, prices);
            state.flexible += posted.flexible;
            state.accurate += posted.accurate;
            int256 change = payment - _replacePosted(id, day, posted);
            collected += change;
            postings[i] = Posting(id, (-change).toInt128(), positions.release[i].toUint128());
            emit Settled(id, day, positions.payment[i], bill.imbalance, fees, bill.deviation);
            if (bill.penalty > 0) emit PenaltyCharged(id, day, bill.penalty);
        }
        postings[count] = Posting(CLEARING_HOUSE, collected.toInt128(), 0);
        ACCOUNTS.post(postings);
        state.nextId = firstId + uint32(count);
    }

    /// @return bill imbalance payment, deviation charge and penalty of one member over the day.
    function _billOf(
        uint256[] memory contracted,
        uint256[] memory metered,
        Rules memory rules,
        StripPrices[] memory prices
    ) private pure returns (Bill memory bill) {
        uint256 toleranceFixed = Energy.unwrap(rules.toleranceFixed);
        uint256 charged = 0;
        for (uint256 strip = 0; strip < prices.length; ++strip) {
            uint256 c = _lanesOf(contracted, strip);
            uint256 m = _lanesOf(metered, strip);
            if (c == m) continue;
            StripPrices memory p = prices[strip];
            // Energies have 39 bits, prices 20, a day 96 periods: nothing overflows.
            unchecked {
                uint256 isMore = Strips.minus(m, c);
                uint256 more = isMore & Strips.spread(isMore, Strips.SIGNED_MASK);
                uint256 less = Strips.minus(c, m) & Strips.spread(~isMore, Strips.SIGNED_MASK);
                bill.imbalance += _payment(more, less, p);
                if (p.penaltyEven | p.penaltyOdd != 0) bill.penalty += _penalty(more, less, p);
                (uint256 unkept, uint256 size) = _unkept(more, less, c);
                if (unkept == 0) continue;
                uint256 isFree = (isMore & p.freeMore) | (~isMore & p.freeLess);
                uint256 beyond = Strips.minus(unkept, (toleranceFixed + 1) * Strips.ONES) & ~isFree;
                charged += _chargeable(beyond & Strips.ALL_FLAGS, unkept, size, toleranceFixed, rules.toleranceShare);
            }
        }
        bill.charged = charged;
        bill.deviation = charged * Price.unwrap(rules.deviationRate);
    }

    /// What the member may claim from the balancing fund: energy sold back that helped, and energy traded that was forecast well.
    function _setClaims(
        Posted memory posted,
        Positions memory positions,
        uint256 i,
        uint256[] memory metered,
        uint256 charged,
        StripPrices[] memory prices
    ) private pure {
        // No more can be charged than was contracted, nor contracted than was traded.
        posted.accurate = (positions.traded[i] - charged).toUint56();
        if (positions.flexible.length == 0 || positions.flexible[i].length == 0) return;
        posted.flexible = _helpfulOf(positions.flexible[i], positions.net[i], metered, prices).toUint56();
    }

    /// @return energy sold back where the area was short, by a member that is a buyer still and took no more than contracted, Wh.
    function _helpfulOf(
        uint256[] memory flexible,
        uint256[] memory contracted,
        uint256[] memory metered,
        StripPrices[] memory prices
    ) private pure returns (uint256 energy) {
        for (uint256 strip = 0; strip < prices.length; ++strip) {
            uint256 c = _lanesOf(contracted, strip);
            uint256 helped = Strips.minus(c, Strips.ZERO_LANES) & Strips.minus(c, _lanesOf(metered, strip));
            energy += Strips.sum(flexible[strip] & Strips.spread(helped & prices[strip].shortArea, Strips.LANE_MASK));
        }
    }

    /// @return units due for what was taken beyond, less what was not taken of the contracted energy (Wh by lane), money units.
    function _payment(uint256 more, uint256 less, StripPrices memory p) private pure returns (int256 units) {
        unchecked {
            if (more != 0) units += int256(Strips.dot(more, p.shortEven, p.shortOdd));
            if (less != 0) units -= int256(Strips.dot(less, p.longEven, p.longOdd));
        }
    }

    /// @return units penalty for what was taken beyond in a short area, and not taken in a long one (Wh by lane), money units.
    function _penalty(uint256 more, uint256 less, StripPrices memory p) private pure returns (uint256 units) {
        uint256 caused = (more & Strips.spread(p.shortArea, Strips.SIGNED_MASK))
            | (less & Strips.spread(p.longArea, Strips.SIGNED_MASK));
        return Strips.dot(caused, p.penaltyEven, p.penaltyOdd);
    }

    /// @param contracted signed lanes.
    /// @return unkept what was contracted and not kept: bought and not taken, or sold and not delivered, Wh by lane.
    /// @return size what was contracted, bought or sold, Wh by lane.
    function _unkept(uint256 more, uint256 less, uint256 contracted)
        private
        pure
        returns (uint256 unkept, uint256 size)
    {
        uint256 bought = Strips.minus(contracted, Strips.ZERO_LANES);
        uint256 isBuyer = Strips.spread(bought, Strips.SIGNED_MASK);
        uint256 missed = (less & isBuyer) | (more & ~isBuyer);
        if (missed == 0) return (0, 0);
        size = (bought & isBuyer) | Strips.soldOf(contracted);
        uint256 isAll = Strips.spread(Strips.minus(missed, size), Strips.SIGNED_MASK);
        unkept = (size & isAll) | (missed & ~isAll);
    }

    /// @param flags of the lanes to be charged.
    /// @return energy beyond the tolerance, Wh.
    function _chargeable(
        uint256 flags,
        uint256 unkept,
        uint256 contracted,
        uint256 toleranceFixed,
        uint256 toleranceShare
    ) private pure returns (uint256 energy) {
        unchecked {
            for (flags >>= Strips.LANE_BITS - 1; flags != 0; flags >>= Strips.LANE_BITS) {
                if (flags & 1 != 0) {
                    energy += ImbalancePrice.chargeableDown(
                        unkept & Strips.LANE_MASK, contracted & Strips.LANE_MASK, toleranceFixed, toleranceShare
                    );
                }
                contracted >>= Strips.LANE_BITS;
                unkept >>= Strips.LANE_BITS;
            }
        }
    }

    /// Pays the fallback supplier, and the wholesale desk what the area's deviation costs it, ahead of what members pay for it.
    function _postAhead(uint32 day, int256 due, int256[] memory area, DayState memory state) private {
        uint256 penalties = _loadPenalties(day, area, state);
        Paid storage paid = _paid[day % Strips.RING];
        int128 change = (due - paid.fallbackSupply).toInt128();
        int128 deskChange = penalties.toInt256().toInt128() - int256(uint256(paid.desk)).toInt128();
        paid.fallbackSupply = due.toInt128();
        if (deskChange != 0) paid.desk = penalties.toUint128();
        Posting[] memory postings = new Posting[](state.desk == 0 ? 2 : 3);
        postings[0] = Posting(FALLBACK_SUPPLIER, change, 0);
        if (state.desk != 0) postings[1] = Posting(state.desk, deskChange, 0);
        postings[postings.length - 1] = Posting(CLEARING_HOUSE, -change - deskChange, 0);
        ACCOUNTS.post(postings);
    }

    /// @return due what the area's deviation costs the wholesale desk, money units; nothing on a day without penalties.
    function _loadPenalties(uint32 day, int256[] memory area, DayState memory state) private returns (uint256 due) {
        (uint32 desk, uint256[] memory rates) = EXCHANGE.penaltiesOf(day);
        if (desk == 0) return 0;
        state.desk = desk;
        for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
            _penalties[_pricePlace(day, strip)] = rates[strip];
            for (uint256 k = 0; k < Strips.LANES; ++k) {
                int256 net = area[strip * Strips.LANES + k];
                due += Strips.lane(rates[strip], k) * uint256(net < 0 ? -net : net);
            }
        }
        emit PenaltyDue(day, desk, due);
    }

    /// Pays from the clearing house what the members paid into it.
    function _payOut(uint32 day, DayState memory state, Rules memory rules) private {
        Paid memory paid = _paid[day % Strips.RING];
        // What members pay for imbalance beyond the fallback supply is never negative, whatever the pricing (rule 11); nor is what
        // they pay beyond the desk's penalty, because those who deviate as the area does deviate by no less than the area.
        int256 fund = int256(state.imbalance) - paid.fallbackSupply + int256(uint256(state.deviation))
            + int256(uint256(state.penalties)) - int256(uint256(paid.desk));
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
        _paid[day % Strips.RING] =
            Paid(paid.fallbackSupply, fund.toInt128(), operator.toUint128(), grid.toUint128(), paid.desk);
        ACCOUNTS.post(postings);

        state.isSettled = true;
        emit DaySettled(day, state.version, paid.fallbackSupply, fund, operator, grid);
    }

    /// @return before what was posted for the day until now.
    function _replacePosted(uint32 id, uint256 day, Posted memory posted) private returns (int256 before) {
        uint256 place = _postedPlace(id, day);
        Posted storage replaced = _posted[place];
        if (replaced.day == day) before = replaced.payment;
        _posted[place] = posted;
    }

    /// @return six signed lanes; zero for a member without an order, or without a meter.
    function _lanesOf(uint256[] memory strips, uint256 strip) private pure returns (uint256) {
        return strips.length == 0 ? Strips.ZERO_LANES : strips[strip];
    }

    function _loadPrices(uint256 day, bool chargeHelpful, bool hasPenalties)
        private
        view
        returns (StripPrices[] memory prices)
    {
        prices = new StripPrices[](STRIPS_PER_DAY);
        for (uint256 strip = 0; strip < prices.length; ++strip) {
            uint256 word = _prices[_pricePlace(day, strip)];
            StripPrices memory p = prices[strip];
            (p.shortEven, p.shortOdd) = Strips.factors(Tariffs.buys(word));
            (p.longEven, p.longOdd) = Strips.factors(Tariffs.sells(word));
            if (hasPenalties) (p.penaltyEven, p.penaltyOdd) = Strips.factors(_penalties[_pricePlace(day, strip)]);
            for (uint256 k = 0; k < Strips.LANES; ++k) {
                uint256 flag = Strips.FLAG << (k * Strips.LANE_BITS);
                if (word & (1 << (LONG_AREA + k)) != 0) p.longArea |= flag;
                if (word & (1 << (SHORT_AREA + k)) != 0) p.shortArea |= flag;
            }
            // An imbalance against the area's own brings the area nearer to balance.
            if (!chargeHelpful) (p.freeMore, p.freeLess) = (p.longArea, p.shortArea);
        }
    }

    function _postedPlace(uint32 id, uint256 day) private pure returns (uint256) {
        return (uint256(id) << 16) | (day % Strips.RING);
    }

    function _pricePlace(uint256 day, uint256 strip) private pure returns (uint256) {
        return ((day % Strips.RING) << 16) | strip;
    }
}
