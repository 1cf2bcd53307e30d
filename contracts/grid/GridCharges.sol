// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IAccounts, Posting} from "../interfaces/IAccounts.sol";
import {IGridCharges} from "../interfaces/IGridCharges.sol";
import {IGridLimits, Publication, ZoneLimit} from "../interfaces/IGridLimits.sol";
import {ILateReconciliation, LateRecord} from "../interfaces/ILateReconciliation.sol";
import {IMarketRules, Rules} from "../interfaces/IMarketRules.sol";
import {IParticipantRegistry} from "../interfaces/IParticipantRegistry.sol";
import {Bill, Billing, StripPrices} from "../libraries/Billing.sol";
import {GridShares} from "../libraries/GridShares.sol";
import {ImbalancePrice} from "../libraries/ImbalancePrice.sol";
import {Calendar, CalendarParameters} from "../types/Calendar.sol";
import {BALANCING_FUND, FIRST_PARTICIPANT, GRID_OPERATOR} from "../types/Members.sol";
import {PriceScale} from "../types/PriceScale.sol";
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

    /// What is beyond the limits of one strip or of all of them: energy, that of it which is beyond the tolerance as well, Wh, and
    /// what it earned, money units.
    struct Excess {
        uint256 energy;
        uint256 beyond;
        uint256 units;
    }

    IParticipantRegistry private immutable REGISTRY;
    IMarketRules private immutable RULES;
    IAccounts private immutable ACCOUNTS;
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
        ILateReconciliation late,
        IGridLimits limits
    ) Calendar(calendar_) PriceScale(rules) {
        REGISTRY = registry;
        RULES = rules;
        ACCOUNTS = accounts;
        LATE = late;
        LIMITS = limits;
    }

    /// @inheritdoc IGridCharges
    function charge(uint32 id, uint32 day, Publication[] calldata publications, LateRecord calldata record) external {
        Held memory held = _heldOf(id, day, publications, record);
        Rules memory rules = RULES.rulesOf(day);
        uint256 truedUp = LATE.truedUpOf(id, day);
        Excess memory excess = Excess(0, 0, 0);
        for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
            if (held.atEnd[strip] == GridShares.ALL) continue;
            bool isUnread = record.metered[strip] & Strips.ALL_FLAGS != 0 || truedUp & (1 << strip) != 0;
            _addStrip(excess, strip, record, held, rules, isUnread);
        }
        uint256 charged = excess.units + excess.beyond * Price.unwrap(rules.deviationRate);
        uint256 before = chargedOf[id][day];
        if (charged == before) revert NothingToCharge(id, day);
        chargedOf[id][day] = charged;
        emit ExcessCharged(id, day, excess.energy, charged);
        _post(id, BALANCING_FUND, charged.toInt256() - before.toInt256());
    }

    /// @inheritdoc IGridCharges
    function makeGood(uint32 id, uint32 day, Publication[] calldata publications, LateRecord calldata record) external {
        if (isMadeGood[id][day]) revert NothingToMakeGood(id, day);
        Held memory held = _heldOf(id, day, publications, record);
        uint256 energy = 0;
        uint256[] memory contracted = record.contracted;
        uint256[] memory metered = record.metered;
        uint256[] memory kept = new uint256[](contracted.length);
        StripPrices[] memory prices = new StripPrices[](STRIPS_PER_DAY);
        Rules memory rules = RULES.rulesOf(day);
        for (uint256 strip = 0; strip < contracted.length; ++strip) {
            // Of an estimate all is charged, whatever was limited.
            if (metered[strip] & Strips.ALL_FLAGS != 0) revert NothingToMakeGood(id, day);
            uint256 penalties = record.prices.length > STRIPS_PER_DAY ? record.prices[STRIPS_PER_DAY + strip] : 0;
            prices[strip] = Billing.unpack(record.prices[strip], penalties, rules.chargeHelpful);
            (uint256 bought, uint256 sold) = _takenIn(contracted[strip], strip, held);
            kept[strip] = contracted[strip] - bought + sold;
            energy += Strips.sum(bought) + Strips.sum(sold);
        }
        if (energy == 0) revert NothingToMakeGood(id, day);
        uint256 charged = _charges(contracted, metered, rules, prices);
        // Beyond what is left of its contract it may deviate the other way, at a penalty.
        uint256 without = _charges(kept, metered, rules, prices);
        if (charged <= without) revert NothingToMakeGood(id, day);
        uint256 units = charged - without;
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
        uint16 zone = LIMITS.zoneOn(id, day);
        if (id < FIRST_PARTICIPANT || zone == 0) revert NotLimited(id, day);
        LATE.requireOnRecord(id, day, record);
        // Whether it has a meter the late reconciliation knows.
        // slither-disable-next-line unused-return
        (, held.imports, held.exports) = REGISTRY.meterOn(id, day);
        uint256 shares = GridShares.ALL;
        if (!_requirePublished(day, publications)) {
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
        for (uint256 i = 0; i < publication.limits.length; ++i) {
            ZoneLimit calldata one = publication.limits[i];
            if (one.zone != zone) continue;
            held.atEnd[one.strip] = one.shares;
            if (!publication.isLate) held.atGate[one.strip] = one.shares;
        }
    }

    /// Adds what a member's meter showed beyond its limits in a strip. Of one that nobody has read, it counts as if the connection
    /// had fed in all that it carries: the true-up pays for whatever it was.
    function _addStrip(
        Excess memory excess,
        uint256 strip,
        LateRecord calldata record,
        Held memory held,
        Rules memory rules,
        bool isUnread
    ) private view {
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            (uint256 importShare, uint256 exportShare) = GridShares.pair(held.atEnd[strip], k);
            int256 metered = Strips.signedLane(record.metered[strip], k);
            int256 contracted =
                record.contracted.length == 0 ? int256(0) : Strips.signedLane(record.contracted[strip], k);
            (int256 short, int256 long) = _pricesIn(record.prices[strip], k);
            // More than the connection is no matter of limits.
            if (exportShare < GridShares.WHOLE) {
                uint256 most = (held.exports * exportShare) / GridShares.WHOLE;
                if (isUnread) {
                    uint256 whole = held.exports - most;
                    _add(excess, whole, most, int256(whole) * long, rules);
                } else if (-metered > int256(most)) {
                    int256 d = metered - contracted;
                    int256 x = -metered - int256(most);
                    int256 lost = _payment(d + x, short, long) - _payment(d, short, long);
                    _add(excess, uint256(x), most, lost, rules);
                }
            }
            if (importShare < GridShares.WHOLE && !isUnread) {
                uint256 most = (held.imports * importShare) / GridShares.WHOLE;
                if (metered > int256(most)) {
                    int256 d = metered - contracted;
                    int256 x = metered - int256(most);
                    int256 lost = _payment(d - x, short, long) - _payment(d, short, long);
                    _add(excess, uint256(x), most, lost, rules);
                }
            }
        }
    }

    /// @param most what the limit allowed, Wh.
    /// @param lost what the member would pay more if the energy had not flowed, money units; below zero if less, which changes nothing.
    function _add(Excess memory excess, uint256 energy, uint256 most, int256 lost, Rules memory rules) private pure {
        excess.energy += energy;
        excess.beyond += ImbalancePrice.chargeableDown(
            energy, most, Energy.unwrap(rules.toleranceFixed), rules.toleranceShare
        );
        if (lost > 0) excess.units += uint256(lost);
    }

    /// @return units due for an imbalance, Wh, of who is short above zero, money units.
    function _payment(int256 imbalance, int256 short, int256 long) private pure returns (int256) {
        return imbalance * (imbalance > 0 ? short : long);
    }

    /// @return short what the short pay in a period, and
    /// @return long what the long receive, units/Wh.
    function _pricesIn(uint256 word, uint256 k) private view returns (int256 short, int256 long) {
        (uint256 shortAbove, uint256 longAbove) = Tariffs.unpack(Strips.lane(word & Strips.LANES_MASK, k));
        return (int256(shortAbove) + LOWEST_PRICE, int256(longAbove) + LOWEST_PRICE);
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

    /// @return lanes of net energy that are within the limits, Wh.
    function _clipped(uint256 lanes, uint256 shares, Held memory held) private pure returns (uint256) {
        uint256 least = Strips.ZERO_LANES - GridShares.partsDown(held.exports, GridShares.exports(shares));
        uint256 most = Strips.ZERO_LANES + GridShares.partsDown(held.imports, GridShares.imports(shares));
        return Strips.least(Strips.most(lanes, least), most);
    }

    /// @return units of deviation charge and penalty, money units.
    function _charges(
        uint256[] memory contracted,
        uint256[] memory metered,
        Rules memory rules,
        StripPrices[] memory prices
    ) private view returns (uint256) {
        Bill memory bill = Billing.billOf(contracted, metered, rules, prices, LOWEST_PRICE);
        return bill.deviation + bill.penalty;
    }
}
