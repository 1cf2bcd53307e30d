// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IAccounts, Posting} from "../interfaces/IAccounts.sol";
import {ICallAuction} from "../interfaces/ICallAuction.sol";
import {IGridCharges} from "../interfaces/IGridCharges.sol";
import {IGridLimits, Publication, ZoneLimit} from "../interfaces/IGridLimits.sol";
import {ILateReconciliation, LateRecord} from "../interfaces/ILateReconciliation.sol";
import {IMarketRules, Rules} from "../interfaces/IMarketRules.sol";
import {IParticipantRegistry} from "../interfaces/IParticipantRegistry.sol";
import {ISchedule} from "../interfaces/ISchedule.sol";
import {Bill, Billing, StripPrices} from "../libraries/Billing.sol";
import {GridShares} from "../libraries/GridShares.sol";
import {ImbalancePrice} from "../libraries/ImbalancePrice.sol";
import {UniformPrice} from "../libraries/UniformPrice.sol";
import {Calendar, CalendarParameters} from "../types/Calendar.sol";
import {BALANCING_FUND, FIRST_PARTICIPANT, GRID_OPERATOR} from "../types/Members.sol";
import {PriceScale} from "../types/PriceScale.sol";
import {Ring} from "../types/Ring.sol";
import {Strips} from "../types/Strips.sol";
import {Tariffs} from "../types/Tariffs.sol";
import {Energy, Price} from "../types/Units.sol";

/// @title Charges of the network's limits
contract GridCharges is IGridCharges, Calendar, PriceScale {
    using SafeCast for int256;
    using SafeCast for uint256;

    /// What limits left a member's day, by strip: shares of its connection at the gate and at the end, and its connection, Wh per
    /// period.
    struct Held {
        uint256[] atGate;
        uint256[] atEnd;
        uint256 imports;
        uint256 exports;
    }

    /// A member's day by strip, as Billing takes it. held: metered energy as far as it was within the limits; kept: what was
    /// contracted, without what lowered limits took of it.
    struct Day {
        Rules rules;
        StripPrices[] prices;
        uint256[] contracted;
        uint256[] kept;
        uint256[] metered;
        uint256[] held;
    }

    IParticipantRegistry private immutable REGISTRY;
    IMarketRules private immutable RULES;
    IAccounts private immutable ACCOUNTS;
    ISchedule private immutable SCHEDULE;
    ICallAuction private immutable AUCTION;
    ILateReconciliation private immutable LATE;
    IGridLimits private immutable LIMITS;

    /// @inheritdoc IGridCharges
    mapping(uint32 id => mapping(uint256 day => uint256)) public chargedOf;
    /// @inheritdoc IGridCharges
    mapping(uint32 id => mapping(uint256 day => bool)) public isMadeGood;

    constructor(
        CalendarParameters memory calendar_,
        IParticipantRegistry registry,
        IMarketRules rules,
        IAccounts accounts,
        ISchedule schedule,
        ICallAuction auction,
        ILateReconciliation late,
        IGridLimits limits
    ) Calendar(calendar_) PriceScale(rules) {
        REGISTRY = registry;
        RULES = rules;
        ACCOUNTS = accounts;
        SCHEDULE = schedule;
        AUCTION = auction;
        LATE = late;
        LIMITS = limits;
    }

    /// @inheritdoc IGridCharges
    function charge(uint32 id, uint32 day, Publication[] calldata publications, LateRecord calldata record) external {
        Held memory held = _heldOf(id, day, publications, record);
        Day memory d = _dayOf(day, record, held);
        (uint256 energy, uint256 beyond) = _excessOf(d, held);
        int256 units = _due(d, d.contracted, d.held) - _due(d, d.contracted, d.metered);
        // At prices below zero who feeds in has paid for it.
        uint256 charged = (units > 0 ? uint256(units) : 0) + beyond * Price.unwrap(d.rules.deviationRate);
        uint256 before = chargedOf[id][day];
        if (charged == before) revert NothingToCharge(id, day);
        chargedOf[id][day] = charged;
        emit ExcessCharged(id, day, energy, charged);
        _post(id, BALANCING_FUND, charged.toInt256() - before.toInt256());
    }

    /// @inheritdoc IGridCharges
    function makeGood(uint32 id, uint32 day, Publication[] calldata publications, LateRecord calldata record) external {
        uint256 until = opensAt(uint256(day) + Ring.DAYS);
        if (block.timestamp >= until) revert TooLateToMakeGood(day, until);
        if (isMadeGood[id][day]) revert NothingToMakeGood(id, day);
        Held memory held = _heldOf(id, day, publications, record);
        Day memory d = _dayOf(day, record, held);
        (uint256 energy, uint256 units) = _takenFrom(d, held, day, record.prices);
        if (energy == 0) revert NothingToMakeGood(id, day);
        units += _charges(d, d.contracted) - _charges(d, d.kept);
        isMadeGood[id][day] = true;
        emit MadeGood(id, day, energy, units);
        _post(GRID_OPERATOR, id, units.toInt256());
    }

    function _post(uint32 from, uint32 to, int256 units) private {
        Posting[] memory postings = new Posting[](2);
        postings[0] = Posting(from, (-units).toInt128(), 0);
        postings[1] = Posting(to, units.toInt128(), 0);
        ACCOUNTS.post(postings);
    }

    /// Reverts unless all that is brought is on record.
    function _heldOf(uint32 id, uint32 day, Publication[] calldata publications, LateRecord calldata record)
        private
        view
        returns (Held memory held)
    {
        if (id < FIRST_PARTICIPANT) revert NothingToCharge(id, day);
        LATE.requireOnRecord(id, day, record);
        // Whether it has a meter the late reconciliation knows.
        // slither-disable-next-line unused-return
        (, held.imports, held.exports) = REGISTRY.meterOn(id, day);
        uint16 zone = LIMITS.zoneOn(id, day);
        uint256 shares = GridShares.ALL;
        if (!_requirePublished(day, publications) && zone != 0) {
            (uint256 imports, uint256 exports) = LIMITS.standingOn(zone, day);
            shares = GridShares.inAllLanes(imports, exports);
        }
        (held.atGate, held.atEnd) = (new uint256[](STRIPS_PER_DAY), new uint256[](STRIPS_PER_DAY));
        for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
            (held.atGate[strip], held.atEnd[strip]) = (shares, shares);
        }
        for (uint256 n = 0; n < publications.length; ++n) {
            _addLimits(held, publications[n], zone);
        }
    }

    /// @return isPublished whether anything was published before the day's auction opened: then there are no standing limits.
    function _requirePublished(uint256 day, Publication[] calldata publications)
        private
        view
        returns (bool isPublished)
    {
        bytes32 published = 0;
        for (uint256 n = 0; n < publications.length; ++n) {
            Publication calldata one = publications[n];
            published = keccak256(abi.encode(published, one.isLate, one.limits));
            if (!one.isLate) isPublished = true;
        }
        if (published != LIMITS.recordOf(day)) revert NotPublished(day);
    }

    function _addLimits(Held memory held, Publication calldata publication, uint16 zone) private pure {
        // Nobody publishes limits of zone 0.
        for (uint256 i = 0; i < publication.limits.length; ++i) {
            ZoneLimit calldata one = publication.limits[i];
            if (one.zone != zone) continue;
            held.atEnd[one.strip] = one.shares;
            if (!publication.isLate) held.atGate[one.strip] = one.shares;
        }
    }

    function _dayOf(uint256 day, LateRecord calldata record, Held memory held) private view returns (Day memory d) {
        d.rules = RULES.rulesOf(day);
        (d.contracted, d.metered) = (record.contracted, record.metered);
        bool hasContracts = d.contracted.length != 0;
        d.prices = new StripPrices[](STRIPS_PER_DAY);
        d.held = new uint256[](STRIPS_PER_DAY);
        d.kept = new uint256[](hasContracts ? STRIPS_PER_DAY : 0);
        for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
            uint256 penalties = record.prices.length > STRIPS_PER_DAY ? record.prices[STRIPS_PER_DAY + strip] : 0;
            d.prices[strip] = Billing.unpack(record.prices[strip], penalties, d.rules.chargeHelpful);
            uint256 m = Billing.lanesOf(d.metered, strip);
            uint256 flags = m & Strips.ALL_FLAGS;
            d.held[strip] = _clipped(m ^ flags, held.atEnd[strip], held) | flags;
            if (!hasContracts) continue;
            uint256 c = d.contracted[strip];
            (uint256 bought, uint256 sold) = _takenIn(c, strip, held);
            d.kept[strip] = c - bought + sold;
        }
    }

    /// @return lanes of net energy that are within the limits, Wh.
    function _clipped(uint256 lanes, uint256 shares, Held memory held) private pure returns (uint256) {
        uint256 least = Strips.ZERO_LANES - GridShares.partsDown(held.exports, GridShares.exports(shares));
        uint256 most = Strips.ZERO_LANES + GridShares.partsDown(held.imports, GridShares.imports(shares));
        return Strips.least(Strips.most(lanes, least), most);
    }

    /// @return bought and
    /// @return sold energy of a strip that was within the limits at the gate and is beyond those at the end, Wh by lane.
    function _takenIn(uint256 contracted, uint256 strip, Held memory held)
        private
        pure
        returns (uint256 bought, uint256 sold)
    {
        if (held.atGate[strip] == held.atEnd[strip]) return (0, 0);
        uint256 before = _clipped(contracted, held.atGate[strip], held);
        uint256 after_ = _clipped(contracted, held.atEnd[strip], held);
        // Limits were lowered, so what is left has the same sign and is not more.
        bought = Strips.boughtOf(before) - Strips.boughtOf(after_);
        sold = Strips.soldOf(before) - Strips.soldOf(after_);
    }

    /// @return energy beyond the limits, and
    /// @return beyond what of it is beyond the tolerance as well, Wh.
    function _excessOf(Day memory d, Held memory held) private pure returns (uint256 energy, uint256 beyond) {
        for (uint256 strip = 0; strip < d.held.length; ++strip) {
            uint256 m = Billing.lanesOf(d.metered, strip);
            if (m == d.held[strip]) continue;
            for (uint256 k = 0; k < Strips.LANES; ++k) {
                int256 within = Strips.signedLane(d.held[strip], k);
                int256 excess = Strips.signedLane(m, k) - within;
                if (excess == 0) continue;
                uint256 size = uint256(excess < 0 ? -excess : excess);
                energy += size;
                uint256 most = excess < 0
                    ? Strips.lane(GridShares.partsDown(held.exports, GridShares.exports(held.atEnd[strip])), k)
                    : Strips.lane(GridShares.partsDown(held.imports, GridShares.imports(held.atEnd[strip])), k);
                beyond += ImbalancePrice.chargeableDown(
                    size, most, Energy.unwrap(d.rules.toleranceFixed), d.rules.toleranceShare
                );
            }
        }
    }

    /// @return energy that lowered limits took from what was contracted, Wh, and
    /// @return units by which its imbalance price is worse than the auction's, money units; where that had none, than the middle
    /// of what the short pay and the long receive.
    function _takenFrom(Day memory d, Held memory held, uint256 day, uint256[] calldata prices)
        private
        view
        returns (uint256 energy, uint256 units)
    {
        uint256[] memory outcomes = SCHEDULE.isVoid(AUCTION, day)
            ? new uint256[](PERIODS_PER_DAY)
            : AUCTION.outcomesIn(day, 0, PERIODS_PER_DAY);
        for (uint256 strip = 0; strip < d.kept.length; ++strip) {
            (uint256 bought, uint256 sold) = _takenIn(d.contracted[strip], strip, held);
            if (bought | sold == 0) continue;
            for (uint256 k = 0; k < Strips.LANES; ++k) {
                (uint256 short, uint256 long) = Tariffs.unpack(Strips.lane(prices[strip] & Strips.LANES_MASK, k));
                uint256 outcome = outcomes[strip * Strips.LANES + k];
                uint256 price = outcome == 0 ? (short + long) / 2 : UniformPrice.priceOf(outcome) * UNITS_PER_TICK;
                (uint256 b, uint256 s) = (Strips.lane(bought, k), Strips.lane(sold, k));
                energy += b + s;
                if (short > price) units += s * (short - price);
                if (price > long) units += b * (price - long);
            }
        }
    }

    /// @return units due for a day besides its trades and fees, money units.
    function _due(Day memory d, uint256[] memory contracted, uint256[] memory metered)
        private
        view
        returns (int256 units)
    {
        Bill memory bill = Billing.billOf(contracted, metered, d.rules, d.prices, LOWEST_PRICE);
        return bill.imbalance + int256(bill.deviation + bill.penalty);
    }

    /// @return units of deviation charge and penalty of a day held to its limits, money units.
    function _charges(Day memory d, uint256[] memory contracted) private view returns (uint256) {
        Bill memory bill = Billing.billOf(contracted, d.held, d.rules, d.prices, LOWEST_PRICE);
        return bill.deviation + bill.penalty;
    }
}
