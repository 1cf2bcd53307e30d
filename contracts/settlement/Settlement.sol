// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IAccounts, Posting} from "../interfaces/IAccounts.sol";
import {ICallAuction} from "../interfaces/ICallAuction.sol";
import {IExchange} from "../interfaces/IExchange.sol";
import {IFallbackSupply} from "../interfaces/IFallbackSupply.sol";
import {IMarketRules, ImbalancePricing, Rules} from "../interfaces/IMarketRules.sol";
import {Positions} from "../interfaces/IMarket.sol";
import {IMeterReadings} from "../interfaces/IMeterReadings.sol";
import {ISchedule} from "../interfaces/ISchedule.sol";
import {ISettlement, SettledDay} from "../interfaces/ISettlement.sol";
import {IShortfalls} from "../interfaces/IShortfalls.sol";
import {Bill, Billing, StripPrices} from "../libraries/Billing.sol";
import {Commitments} from "../libraries/Commitments.sol";
import {DayTerms} from "../libraries/DayTerms.sol";
import {ImbalancePrice} from "../libraries/ImbalancePrice.sol";
import {UniformPrice} from "../libraries/UniformPrice.sol";
import {Calendar, CalendarParameters} from "../types/Calendar.sol";
import {BALANCING_FUND, CLEARING_HOUSE, FALLBACK_SUPPLIER, GRID_OPERATOR, OPERATOR} from "../types/Members.sol";
import {PriceScale} from "../types/PriceScale.sol";
import {Ring} from "../types/Ring.sol";
import {Strips} from "../types/Strips.sol";
import {Tariffs} from "../types/Tariffs.sol";
import {Price} from "../types/Units.sol";

/// @title Settlement
/// @dev Guarded against re-entry because the schedule calls every market that is plugged into it.
contract Settlement is ISettlement, Calendar, PriceScale, ReentrancyGuard {
    using SafeCast for int256;
    using SafeCast for uint256;

    /// How far a day has come: its members are settled, what they are short of is shared, all is done.
    enum Stage {
        Settling,
        Sharing,
        Settled
    }

    struct DayState {
        uint16 day;
        Stage stage;
        /// Whether it was settled before, on readings that were corrected.
        bool isAgain;
        /// Next member to be settled, or to share.
        uint32 nextId;
        /// Version of the readings this walk is based on.
        uint32 version;
        /// Whether deviations of this day cost a penalty.
        bool hasPenalties;
        /// Sums of this walk so far; of what it has paid to others than the fallback supplier, money units.
        uint88 received;
        uint64 traded;
        int128 imbalance;
        uint128 deviation;
        /// Wh that may be claimed from the balancing fund.
        uint64 flexible;
        uint64 kept;
        uint96 penalties;
        /// The member that exchanged energy with the upper market; 0 if nobody did.
        uint32 desk;
    }

    /// What has been posted for a day to those who are paid from the clearing house, money units.
    struct Paid {
        int128 fallbackSupply;
        int128 fund;
        uint128 operator;
        uint128 grid;
        uint128 desk;
        /// Who that was; 0 if nobody exchanged energy with the upper market.
        uint32 deskId;
    }

    /// What has been posted to a member for a day, money units, and what it may claim from the balancing fund, Wh.
    struct Posted {
        uint16 day;
        int128 payment;
        uint56 flexible;
        uint56 kept;
    }

    /// What the settlement under way has paid to members of a day that is settled again, money units.
    struct Received {
        uint16 day;
        /// Of all its walks together: below zero of who pays more than it is paid.
        int120 units;
        /// What was restored of money that the member had not any more: whatever it owes, it gives none of that back.
        uint120 least;
    }

    /// How long nobody takes money out because a settlement has begun, s; longer only while the fallback supplier is beyond
    /// its credit limit.
    uint256 private constant HOLD = 1 hours;

    IMarketRules private immutable RULES;
    IAccounts private immutable ACCOUNTS;
    ISchedule private immutable SCHEDULE;
    ICallAuction private immutable AUCTION;
    IMeterReadings private immutable READINGS;
    IFallbackSupply private immutable FALLBACK;
    IExchange private immutable EXCHANGE;
    IShortfalls private immutable SHORTFALLS;

    mapping(uint256 ringPlace => DayState) private _days;
    mapping(uint256 ringPlace => Paid) private _paid;
    mapping(uint256 key => Posted) private _posted;
    mapping(uint256 key => Received) private _received;
    /// Imbalance prices by strip, of the walk that is under way.
    mapping(uint256 key => uint256) private _prices;
    /// Penalty rates by strip, six lanes, of a walk whose day has any.
    mapping(uint256 key => uint256) private _penalties;
    /// Of the members' tree of the walk that is under way.
    mapping(uint256 level => bytes32) private _peaks;
    mapping(uint256 day => bytes32) public commitmentOf;

    constructor(
        CalendarParameters memory calendar_,
        IMarketRules rules,
        IAccounts accounts,
        ISchedule schedule,
        ICallAuction auction,
        IMeterReadings readings,
        IFallbackSupply fallbackSupply,
        IExchange exchange,
        IShortfalls shortfalls
    ) Calendar(calendar_) PriceScale(rules) {
        RULES = rules;
        ACCOUNTS = accounts;
        SCHEDULE = schedule;
        AUCTION = auction;
        READINGS = readings;
        FALLBACK = fallbackSupply;
        EXCHANGE = exchange;
        SHORTFALLS = shortfalls;
    }

    /// @inheritdoc ISettlement
    // The guard shuts out re-entry; what slither still sees are the two views, and no market decides by those.
    // slither-disable-next-line reentrancy-no-eth
    function settle(uint32 day, uint256 count) external nonReentrant {
        if (count == 0) revert NoMembersGiven();
        DayState memory state = _begin(day);
        uint256 left = uint256(READINGS.membersOf(day)) + 1 - state.nextId;
        if (count > left) count = left;

        if (state.stage == Stage.Sharing) {
            _shareShortfall(day, count, state);
            if (count == left) _end(day, state);
        } else {
            Rules memory rules = RULES.rulesOf(day);
            if (state.nextId == 1) {
                emit SettlementBegun(day, state.version);
                (int256 due, int256[] memory area, uint256 unknown) = _beginWalk(day, rules);
                _postAhead(day, due, area, unknown, state);
            }
            bool isSettled_ = _settleMembers(day, count, state, rules);
            if (!isSettled_) _restart(state);
            else if (count == left) _payOut(day, state, rules);
        }
        _days[Ring.place(day)] = state;
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
        DayState storage state = _days[Ring.place(day)];
        return state.day == day && state.stage == Stage.Settled && state.version == READINGS.versionOf(day);
    }

    /// @inheritdoc ISettlement
    function dayOf(uint256 day) external view returns (SettledDay memory settled) {
        DayState storage state = _days[Ring.place(day)];
        if (day == 0 || state.day != day) return settled;
        settled.fund = _paid[Ring.place(day)].fund;
        if (state.stage != Stage.Settled) return settled;
        settled.members = state.nextId - 1;
        settled.flexible = state.flexible;
        settled.kept = state.kept;
    }

    /// @inheritdoc ISettlement
    function claimsOf(uint256 day, uint32 firstId, uint256 count)
        external
        view
        returns (uint256[] memory flexible, uint256[] memory kept)
    {
        flexible = new uint256[](count);
        kept = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            Posted storage posted = _posted[Ring.memberKey(firstId + uint32(i), day)];
            if (posted.day == day) (flexible[i], kept[i]) = (posted.flexible, posted.kept);
        }
    }

    /// @inheritdoc ISettlement
    function nextMember(uint256 day) external view returns (uint32) {
        DayState storage state = _days[Ring.place(day)];
        return state.day == day && state.nextId > 0 ? state.nextId : 1;
    }

    /// Goes on with a day, or begins: one at a time, so that what a day's payments are short of is told from the fallback
    /// supplier's account. No reading of it changes while it is settled; if any did after that, the day is settled once more,
    /// when corrections are closed.
    function _begin(uint32 day) private returns (DayState memory state) {
        uint32 inSettlement = RULES.dayInSettlement();
        if (inSettlement == day && day != 0) return _days[Ring.place(day)];
        bool isCleared = SCHEDULE.isComplete(day);
        bool isMetered = READINGS.isClosed(day);
        if (!isCleared || !isMetered) revert NotReadyToSettle(day, isCleared, isMetered);
        uint256 version = READINGS.versionOf(day);
        state = _days[Ring.place(day)];
        bool isAgain = state.day == day;
        if (isAgain && state.version == version) revert AlreadySettled(day);
        if (isAgain && block.timestamp < correctionsCloseAt(day)) {
            revert CorrectionsOpen(day, correctionsCloseAt(day), block.timestamp);
        }
        if (inSettlement != 0) revert OtherDayInSettlement(day, inSettlement);
        if (!isAgain) delete _paid[Ring.place(day)];
        (state.day, state.stage, state.isAgain, state.version) =
        (uint16(day), Stage.Settling, isAgain, version.toUint32());
        state.received = 0;
        _restart(state);
        SCHEDULE.voidLate(day);
        // Who waits comes before those who default today.
        SHORTFALLS.setAsideFirst();
        if (isAgain) SHORTFALLS.reopen(day);
        RULES.markInSettlement(day);
        ACCOUNTS.hold(uint64(block.timestamp + HOLD));
    }

    /// Begins a walk anew. Members whose day was settled before are posted differences. Of a day that is settled the first time what
    /// this settlement has paid follows from what is posted, so it is added up anew; of another it is kept on record.
    function _restart(DayState memory state) private pure {
        state.nextId = 1;
        state.hasPenalties = false;
        (state.traded, state.imbalance, state.deviation, state.penalties) = (0, 0, 0, 0);
        (state.flexible, state.kept) = (0, 0);
        if (!state.isAgain) state.received = 0;
    }

    /// Works out the day's imbalance prices.
    /// @return due what the area owes the fallback supplier, money units.
    /// @return area net energy of all members by slot, Wh.
    /// @return unknown strips in which that is not known, a bit each.
    function _beginWalk(uint32 day, Rules memory rules)
        private
        returns (int256 due, int256[] memory area, uint256 unknown)
    {
        // Of an auction without orders, which need not be cleared, there is no price; nor of one that does not count.
        uint256[] memory outcomes = SCHEDULE.isVoid(AUCTION, day)
            ? new uint256[](PERIODS_PER_DAY)
            : AUCTION.outcomesIn(day, 0, PERIODS_PER_DAY);
        uint256[] memory tariffs = FALLBACK.tariffsOf(day);
        area = READINGS.areaNet(day);
        uint256 atBoundary;
        (atBoundary, unknown) = READINGS.boundaryOf(day);
        for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
            // Where N is not known nobody gains by its sign.
            ImbalancePricing pricing = unknown & (1 << strip) == 0 ? rules.imbalancePricing : ImbalancePricing.Tariff;
            (uint256 word, int256 dueOfStrip) = _pricesOf(strip, pricing, outcomes, tariffs[strip], area);
            if (atBoundary & (1 << strip) != 0) word |= Billing.AT_BOUNDARY;
            _prices[Ring.dayKey(day, strip)] = word;
            due += dueOfStrip;
        }
    }

    /// @return word imbalance prices of a strip, as Billing says.
    /// @return due what the area owes the fallback supplier for it, money units.
    function _pricesOf(
        uint256 strip,
        ImbalancePricing pricing,
        uint256[] memory outcomes,
        uint256 tariffs,
        int256[] memory area
    ) private view returns (uint256 word, int256 due) {
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            uint256 outcome = outcomes[strip * Strips.LANES + k];
            int256 net = area[strip * Strips.LANES + k];
            (uint256 buy, uint256 sell) = Tariffs.unpack(Strips.lane(tariffs, k));
            uint256 price = UniformPrice.priceOf(outcome) * UNITS_PER_TICK;
            uint256 middle = ImbalancePrice.mid(buy, sell, price, outcome != 0);
            (uint256 short, uint256 long) = ImbalancePrice.prices(pricing, net, buy, sell, middle);
            word |= Tariffs.pack(short, long) << (k * Strips.LANE_BITS);
            if (net > 0) word |= 1 << (Billing.SHORT_AREA + k);
            if (net < 0) word |= 1 << (Billing.LONG_AREA + k);
            due += net * (int256(net > 0 ? buy : sell) + LOWEST_PRICE);
        }
    }

    /// @return whether they are settled; if not, a market is void for the day from now on, and the walk begins again.
    function _settleMembers(uint32 day, uint256 count, DayState memory state, Rules memory rules)
        private
        returns (bool)
    {
        uint32 firstId = state.nextId;
        (Positions memory positions, bool isVoided) = SCHEDULE.collect(day, firstId, count);
        if (isVoided) return false;
        StripPrices[] memory prices = _loadPrices(day, rules.chargeHelpful, state.hasPenalties);
        uint256[][] memory metered = READINGS.netOf(day, firstId, count);
        if (state.isAgain) _restore(day, firstId, count, state);
        Posting[] memory postings = new Posting[](count + 1);
        int256 collected = 0;
        for (uint256 i = 0; i < count; ++i) {
            Bill memory bill = Billing.billOf(positions.net[i], metered[i], rules, prices, LOWEST_PRICE);
            uint256 fees = positions.traded[i] * DayTerms.fees(rules);
            int256 payment = positions.payment[i] + bill.imbalance + int256(fees + bill.deviation + bill.penalty);
            state.traded += positions.traded[i].toUint64();
            state.imbalance += bill.imbalance.toInt128();
            state.deviation += bill.deviation.toUint128();
            state.penalties += bill.penalty.toUint96();
            uint32 id = firstId + uint32(i);
            Posted memory posted = Posted(uint16(day), payment.toInt128(), 0, 0);
            // A day that is estimated, be it in part, is no forecast that came true.
            if (!bill.isEstimated) _setClaims(posted, positions, i, metered[i], bill.kept, prices);
            // What the desk nominates it delivers by definition: that is no forecast to be rewarded.
            if (id == state.desk) posted.kept = 0;
            state.flexible += posted.flexible;
            state.kept += posted.kept;
            int256 change = payment - _replacePosted(id, day, posted);
            collected += change;
            _note(day, id, state.isAgain ? -change : -payment, state);
            postings[i] = Posting(id, (-change).toInt128(), positions.release[i].toUint128());
            emit Settled(id, day, positions.payment[i], bill.imbalance, fees, bill.deviation);
            if (bill.penalty > 0) emit PenaltyCharged(id, day, bill.penalty);
        }
        postings[count] = Posting(CLEARING_HOUSE, collected.toInt128(), 0);
        ACCOUNTS.postDay(postings);
        _addToTree(firstId, positions.net, metered);
        state.nextId = firstId + uint32(count);
        return true;
    }

    /// Adds members to the tree that the day is committed to.
    function _addToTree(uint256 firstId, uint256[][] memory contracted, uint256[][] memory metered) private {
        bytes32 nothing = _hashOfNothing();
        bytes32[] memory leaves = new bytes32[](metered.length);
        for (uint256 i = 0; i < leaves.length; ++i) {
            leaves[i] = Commitments.leafOf(firstId + i, _hashOf(contracted[i], nothing), _hashOf(metered[i], nothing));
        }
        Commitments.append(_peaks, firstId - 1, leaves);
    }

    /// Leaves the day's commitment: what every member contracted and metered, and the prices of this walk.
    function _commit(uint32 day, DayState memory state) private {
        uint256 strips = STRIPS_PER_DAY;
        uint256[] memory words = new uint256[](state.hasPenalties ? 2 * strips : strips);
        for (uint256 n = 0; n < words.length; ++n) {
            words[n] = n < strips ? _prices[Ring.dayKey(day, n)] : _penalties[Ring.dayKey(day, n - strips)];
        }
        bytes32 root = Commitments.rootOf(_peaks, state.nextId - 1);
        bytes32 commitment = Commitments.commitmentTo(day, Commitments.hashOf(words), root);
        commitmentOf[day] = commitment;
        emit DayCommitted(day, commitment);
    }

    /// @return hash of a member's day, six signed lanes a strip; of who has no strips as of one with nothing in them.
    function _hashOf(uint256[] memory strips, bytes32 nothing) private pure returns (bytes32) {
        return strips.length == 0 ? nothing : Commitments.hashOf(strips);
    }

    function _hashOfNothing() private view returns (bytes32) {
        uint256[] memory strips = new uint256[](STRIPS_PER_DAY);
        for (uint256 strip = 0; strip < strips.length; ++strip) {
            strips[strip] = Strips.ZERO_LANES;
        }
        return Commitments.hashOf(strips);
    }

    /// What the member may claim from the balancing fund: energy sold back that helped, and net energy delivered as contracted.
    function _setClaims(
        Posted memory posted,
        Positions memory positions,
        uint256 i,
        uint256[] memory metered,
        uint256 kept,
        StripPrices[] memory prices
    ) private pure {
        posted.kept = kept.toUint56();
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
            uint256 c = Billing.lanesOf(contracted, strip);
            uint256 helped = Strips.minus(c, Strips.ZERO_LANES) & Strips.minus(c, Billing.lanesOf(metered, strip));
            energy += Strips.sum(flexible[strip] & Strips.spread(helped & prices[strip].shortArea, Strips.LANE_MASK));
        }
    }

    /// Pays the fallback supplier, and the wholesale desk what the area's deviation costs it, ahead of what members pay for it: what
    /// the area owes them is there before the supplier advances anything for a member.
    function _postAhead(uint32 day, int256 due, int256[] memory area, uint256 unknown, DayState memory state) private {
        uint256 penalties = _loadPenalties(day, area, unknown, state);
        Paid storage paid = _paid[Ring.place(day)];
        int128 change = (due - paid.fallbackSupply).toInt128();
        int128 deskChange = penalties.toInt256().toInt128() - int256(uint256(paid.desk)).toInt128();
        paid.fallbackSupply = due.toInt128();
        if (state.desk != 0) paid.deskId = state.desk;
        if (deskChange != 0) paid.desk = penalties.toUint128();
        // What it was paid before its market was void the desk gives back.
        if (!state.hasPenalties && deskChange != 0) emit PenaltyDue(day, paid.deskId, 0);
        Posting[] memory postings = new Posting[](state.hasPenalties || deskChange != 0 ? 3 : 2);
        postings[0] = Posting(FALLBACK_SUPPLIER, change, 0);
        if (postings.length > 2) postings[1] = Posting(paid.deskId, deskChange, 0);
        postings[postings.length - 1] = Posting(CLEARING_HOUSE, -change - deskChange, 0);
        if (paid.deskId != 0) _note(day, paid.deskId, state.isAgain ? deskChange : penalties.toInt256(), state);
        ACCOUNTS.postDay(postings);
    }

    /// @return due what the area's deviation costs the wholesale desk, money units; nothing on a day without penalties.
    function _loadPenalties(uint32 day, int256[] memory area, uint256 unknown, DayState memory state)
        private
        returns (uint256 due)
    {
        uint256[] memory rates;
        (state.desk, due, rates) = EXCHANGE.penaltiesOf(day, area, unknown);
        if (rates.length == 0) return 0;
        state.hasPenalties = true;
        for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
            _penalties[Ring.dayKey(day, strip)] = rates[strip];
        }
        emit PenaltyDue(day, state.desk, due);
    }

    /// Pays from the clearing house what the members paid into it.
    function _payOut(uint32 day, DayState memory state, Rules memory rules) private {
        _commit(day, state);
        Paid memory paid = _paid[Ring.place(day)];
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
            _note(day, postings[i].id, postings[i].amount, state);
        }
        postings[3] = Posting(CLEARING_HOUSE, (-total).toInt128(), 0);
        _paid[Ring.place(day)] =
            Paid(paid.fallbackSupply, fund.toInt128(), operator.toUint128(), grid.toUint128(), paid.desk, paid.deskId);
        ACCOUNTS.postDay(postings);

        (int256 free, uint256 creditLimit) = ACCOUNTS.fundsOf(FALLBACK_SUPPLIER);
        int256 short = -free - int256(creditLimit);
        // Whom nothing was paid nothing is taken back from: what the supplier lacks then is of no payment of this day.
        if (short <= 0 || state.received == 0) return _end(day, state);
        state.stage = Stage.Sharing;
        state.nextId = 1;
        ACCOUNTS.hold(type(uint64).max);
        SHORTFALLS.begin(day, uint256(short), state.received);
    }

    /// What the fallback supplier could not advance is taken back from those who were paid.
    function _shareShortfall(uint32 day, uint256 count, DayState memory state) private {
        uint32 firstId = state.nextId;
        Paid memory paid = _paid[Ring.place(day)];
        uint256[] memory received = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint32 id = firstId + uint32(i);
            if (id != FALLBACK_SUPPLIER) received[i] = _receivedBy(id, day, state, paid);
        }
        SHORTFALLS.take(day, firstId, received);
        state.nextId = firstId + uint32(count);
    }

    function _end(uint32 day, DayState memory state) private {
        state.stage = Stage.Settled;
        RULES.markInSettlement(0);
        ACCOUNTS.hold(0);
        Paid memory paid = _paid[Ring.place(day)];
        emit DaySettled(day, state.version, paid.fallbackSupply, paid.fund, paid.operator, paid.grid);
    }

    /// Takes note of what this settlement pays to somebody. Where a day is settled the first time that follows from what is
    /// posted to it in all; the second time it does not.
    function _note(uint256 day, uint32 id, int256 units, DayState memory state) private {
        if (id == FALLBACK_SUPPLIER || units == 0) return;
        if (!state.isAgain) {
            if (units > 0) state.received += uint256(units).toUint88();
            return;
        }
        Received memory noted = _receivedOf(id, day);
        _noteAnew(day, id, noted, units, noted.least, state);
    }

    /// Adds to what this settlement has paid to somebody, and changes what it gives none of back; the sum of all follows.
    function _noteAnew(
        uint256 day,
        uint32 id,
        Received memory noted,
        int256 units,
        uint256 least,
        DayState memory state
    ) private {
        uint256 before = _sharedBy(noted);
        (noted.units, noted.least) = ((int256(noted.units) + units).toInt120(), least.toUint120());
        state.received = (uint256(state.received) + _sharedBy(noted) - before).toUint88();
        _received[Ring.memberKey(id, day)] = noted;
    }

    /// @return what counts as paid to a member of a day that is settled again. What it has to give back comes off what is left of
    /// its claim, but not off money that it has not any more.
    function _sharedBy(Received memory noted) private pure returns (uint256) {
        return noted.units > int256(uint256(noted.least)) ? uint256(int256(noted.units)) : noted.least;
    }

    /// Claims of a day that is settled again end: what was set aside for them is paid, the rest is paid and shared anew.
    function _restore(uint32 day, uint32 firstId, uint256 count, DayState memory state) private {
        (uint256[] memory units, uint256[] memory least) = SHORTFALLS.restore(day, firstId, count);
        for (uint256 i = 0; i < units.length; ++i) {
            if (units[i] == 0) continue;
            uint32 id = firstId + uint32(i);
            _noteAnew(day, id, _receivedOf(id, day), units[i].toInt256(), least[i], state);
        }
    }

    /// @return noted nothing for whom this settlement has not paid yet.
    function _receivedOf(uint32 id, uint256 day) private view returns (Received memory noted) {
        noted = _received[Ring.memberKey(id, day)];
        if (noted.day != day) noted = Received(uint16(day), 0, 0);
    }

    /// @return units what this settlement has paid to a member, offices included, money units.
    function _receivedBy(uint32 id, uint256 day, DayState memory state, Paid memory paid)
        private
        view
        returns (uint256 units)
    {
        if (state.isAgain) {
            return _sharedBy(_receivedOf(id, day));
        }
        int256 payment = _posted[Ring.memberKey(id, day)].payment;
        if (payment < 0) units = uint256(-payment);
        if (id == BALANCING_FUND && paid.fund > 0) units += uint256(int256(paid.fund));
        if (id == OPERATOR) units += paid.operator;
        if (id == GRID_OPERATOR) units += paid.grid;
        if (id == state.desk) units += paid.desk;
    }

    /// @return before what was posted for the day until now.
    function _replacePosted(uint32 id, uint256 day, Posted memory posted) private returns (int256 before) {
        uint256 key = Ring.memberKey(id, day);
        Posted storage replaced = _posted[key];
        if (replaced.day == day) before = replaced.payment;
        _posted[key] = posted;
    }

    function _loadPrices(uint256 day, bool chargeHelpful, bool hasPenalties)
        private
        view
        returns (StripPrices[] memory prices)
    {
        prices = new StripPrices[](STRIPS_PER_DAY);
        for (uint256 strip = 0; strip < prices.length; ++strip) {
            uint256 key = Ring.dayKey(day, strip);
            prices[strip] = Billing.unpack(_prices[key], hasPenalties ? _penalties[key] : 0, chargeHelpful);
        }
    }
}
