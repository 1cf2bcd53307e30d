// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IAccounts, Posting} from "../interfaces/IAccounts.sol";
import {IGridRelief, Relief, ReliefOffer} from "../interfaces/IGridRelief.sol";
import {ILateReconciliation, LateRecord} from "../interfaces/ILateReconciliation.sol";
import {IMarketRules} from "../interfaces/IMarketRules.sol";
import {IParticipantRegistry, Member} from "../interfaces/IParticipantRegistry.sol";
import {GridShares} from "../libraries/GridShares.sol";
import {Calendar, CalendarParameters} from "../types/Calendar.sol";
import {BALANCING_FUND, FIRST_PARTICIPANT, GRID_OPERATOR, Status} from "../types/Members.sol";
import {SigningDomain} from "../types/SigningDomain.sol";
import {Strips} from "../types/Strips.sol";
import {Price, SignedPrice} from "../types/Units.sol";

/// @title Relief of the network
/// @dev Of what has not begun only the newest offer is kept, so a walk back to a day that is not final passes few.
contract GridRelief is IGridRelief, SigningDomain, AccessManaged, Calendar, Multicall {
    using SafeCast for uint256;

    bytes32 private constant OFFER_TYPEHASH = keccak256(
        "ReliefOffer(address account,uint16 drawn,uint32 drawnPrice,uint16 fedIn,uint32 fedInPrice,uint32 firstDay,uint40 sequence)"
    );

    /// An offer, and the first day it applies to: one storage word.
    struct Version {
        uint32 firstDay;
        uint16 drawn;
        uint32 drawnPrice;
        uint16 fedIn;
        uint32 fedInPrice;
    }

    /// What a member's day has been paid for what it delivered, and charged for what it did not, money units.
    struct Paid {
        uint128 units;
        uint128 charge;
    }

    IParticipantRegistry private immutable REGISTRY;
    IMarketRules private immutable RULES;
    IAccounts private immutable ACCOUNTS;
    ILateReconciliation private immutable LATE;

    mapping(uint32 id => Version[]) private _offers;
    mapping(uint32 id => mapping(uint256 day => Paid)) private _paid;
    /// @inheritdoc IGridRelief
    mapping(uint32 id => uint40) public lastSequence;
    /// @inheritdoc IGridRelief
    mapping(uint32 id => mapping(uint256 day => bytes32)) public boughtOf;

    constructor(
        address authority,
        CalendarParameters memory calendar_,
        IParticipantRegistry registry,
        IMarketRules rules,
        IAccounts accounts,
        ILateReconciliation late
    ) AccessManaged(authority) Calendar(calendar_) {
        REGISTRY = registry;
        RULES = rules;
        ACCOUNTS = accounts;
        LATE = late;
    }

    /// @inheritdoc IGridRelief
    function offer(ReliefOffer calldata o, bytes calldata signature) external {
        bytes32 message = keccak256(
            abi.encode(OFFER_TYPEHASH, o.account, o.drawn, o.drawnPrice, o.fedIn, o.fedInPrice, o.firstDay, o.sequence)
        );
        address signer = ECDSA.recover(_hashTypedDataV4(message), signature);
        if (signer != o.account) revert NotSignedBy(o.account, signer);
        uint32 id = _offerer(o.account);
        if (o.sequence <= lastSequence[id]) revert StaleMessage(id, o.sequence, lastSequence[id]);
        lastSequence[id] = o.sequence;
        if (o.drawn > GridShares.WHOLE) revert ShareTooLarge(o.drawn);
        if (o.fedIn > GridShares.WHOLE) revert ShareTooLarge(o.fedIn);
        // A day is bought for just before its auction opens, and by then all offers are on record for long. Only the market's
        // first day has none before it.
        uint256 earliest = block.timestamp < opensAt(1) ? 1 : dayAt(block.timestamp + OPEN_LEAD) + 2;
        if (o.firstDay < earliest) revert TooLateToOffer(o.firstDay, earliest);
        if (o.firstDay > Strips.MAX_DAY) revert NoSuchDay(o.firstDay);
        uint256 known = _offers[id].length;
        while (known > 0 && _offers[id][known - 1].firstDay >= earliest) {
            _offers[id].pop();
            --known;
        }
        _offers[id].push(Version(o.firstDay, o.drawn, o.drawnPrice, o.fedIn, o.fedInPrice));
        emit ReliefOffered(id, o.drawn, o.drawnPrice, o.fedIn, o.fedInPrice, o.firstDay, uint32(earliest), o.sequence);
    }

    /// @inheritdoc IGridRelief
    function buy(uint32 id, uint32 day, Relief[] calldata reliefs, bytes32 report) external restricted {
        uint256 opens = opensAt(day);
        if (block.timestamp >= opens) revert AuctionHasOpened(day, opens, block.timestamp);
        uint256 nextDay = dayAt(block.timestamp + OPEN_LEAD) + 1;
        if (day != nextDay) revert NotTheNextDay(day, nextDay);
        if (boughtOf[id][day] != 0) revert BoughtAlready(id, day);
        if (reliefs.length == 0) revert NoRelief(0);
        Version memory asked = id < FIRST_PARTICIPANT ? Version(0, 0, 0, 0, 0) : _on(id, day);
        Version memory ceiling = _ceilingOn(day);
        uint256 next = 0;
        for (uint256 n = 0; n < reliefs.length; ++n) {
            Relief calldata one = reliefs[n];
            // Twice the strip, and one more of what is fed in.
            uint256 place = (uint256(one.strip) << 1) | (one.isFedIn ? 1 : 0);
            if (one.strip >= STRIPS_PER_DAY || place < next || one.energies & Strips.LANES_MASK == 0) {
                revert NoRelief(one.strip);
            }
            next = place + 1;
            _requireOffered(id, day, one, asked, ceiling);
        }
        boughtOf[id][day] = keccak256(abi.encode(reliefs));
        emit ReliefBought(id, day, reliefs, report);
    }

    /// @inheritdoc IGridRelief
    function pay(uint32 id, uint32 day, Relief[] calldata reliefs, LateRecord calldata record) external {
        if (boughtOf[id][day] == 0 || keccak256(abi.encode(reliefs)) != boughtOf[id][day]) revert NotBought(id, day);
        LATE.requireOnRecord(id, day, record);
        uint256 truedUp = LATE.truedUpOf(id, day);
        uint256 delivered = 0;
        uint256 missing = 0;
        uint256 units = 0;
        for (uint256 n = 0; n < reliefs.length; ++n) {
            Relief calldata one = reliefs[n];
            uint256 strip = one.strip;
            // Nobody knows what flowed in a period that was not read.
            bool isUnread = record.metered[strip] & Strips.ALL_FLAGS != 0 || truedUp & (1 << strip) != 0;
            for (uint256 k = 0; k < Strips.LANES; ++k) {
                uint256 energy = Strips.lane(one.energies, k);
                uint256 kept = isUnread ? 0 : _keptOf(one, k, energy, Strips.signedLane(record.metered[strip], k));
                delivered += kept;
                missing += energy - kept;
                units += kept * Strips.lane(one.prices, k);
            }
        }
        uint256 charge = missing * Price.unwrap(RULES.rulesOf(day).deviationRate);
        Paid memory before = _paid[id][day];
        if (units == before.units && charge == before.charge) revert NothingToPay(id, day);
        _paid[id][day] = Paid(units.toUint128(), charge.toUint128());
        emit ReliefPaid(id, day, delivered, missing, units, charge);
        int128 more = int128(units.toUint128()) - int128(before.units);
        int128 moreCharge = int128(charge.toUint128()) - int128(before.charge);
        Posting[] memory postings = new Posting[](3);
        postings[0] = Posting(GRID_OPERATOR, -more, 0);
        postings[1] = Posting(id, more - moreCharge, 0);
        postings[2] = Posting(BALANCING_FUND, moreCharge, 0);
        // What is missing of a charge the fallback supplier advances, as of any other. It does not pay for relief.
        uint32 payer = more > 0 ? GRID_OPERATOR : id;
        uint256 owed = _arrearsOf(payer);
        ACCOUNTS.post(postings);
        if (more != 0 && _arrearsOf(payer) > owed) revert NotCovered(payer, day);
    }

    function _arrearsOf(uint32 id) private view returns (uint256 arrears) {
        // Since when is of no matter.
        // slither-disable-next-line unused-return
        (arrears,) = ACCOUNTS.arrearsOf(id);
    }

    /// @return ceiling what the grid operator pays at most on a day, never more than the dearest tariff there may be.
    function _ceilingOn(uint256 day) private view returns (Version memory ceiling) {
        ceiling = _on(GRID_OPERATOR, day);
        uint32 most = uint32(SignedPrice.unwrap(RULES.rulesOf(day).maxBuy));
        if (ceiling.drawnPrice > most) ceiling.drawnPrice = most;
        if (ceiling.fedInPrice > most) ceiling.fedInPrice = most;
    }

    /// @return kept Wh of what was bought that the meter shows to be delivered.
    function _keptOf(Relief calldata one, uint256 k, uint256 energy, int256 metered)
        private
        pure
        returns (uint256 kept)
    {
        int256 flowed = one.isFedIn ? -metered : metered;
        int256 most = int256(Strips.lane(one.mosts, k));
        if (flowed <= most) return energy;
        uint256 beyond = uint256(flowed - most);
        return beyond < energy ? energy - beyond : 0;
    }

    /// @param asked what the member offers.
    /// @param ceiling what the grid operator pays at most.
    function _requireOffered(uint32 id, uint256 day, Relief calldata one, Version memory asked, Version memory ceiling)
        private
        view
    {
        // Whether it has a meter its connection says.
        // slither-disable-next-line unused-return
        (, uint256 imports, uint256 exports) = REGISTRY.meterOn(id, day);
        (uint256 capacity, uint256 share) = one.isFedIn ? (exports, asked.fedIn) : (imports, asked.drawn);
        (uint256 lowest, uint256 highest) = one.isFedIn
            ? (asked.fedInPrice, ceiling.fedIn == 0 ? 0 : ceiling.fedInPrice)
            : (asked.drawnPrice, ceiling.drawn == 0 ? 0 : ceiling.drawnPrice);
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            uint256 energy = Strips.lane(one.energies, k);
            if (energy == 0) continue;
            uint256 most = Strips.lane(one.mosts, k);
            uint256 slot = uint256(one.strip) * Strips.LANES + k;
            // Its share rounded down: the member gains, by less than 1 Wh.
            if (energy > (capacity * share) / GridShares.WHOLE || energy + most > capacity) {
                revert NotOffered(id, slot, energy, most);
            }
            uint256 price = Strips.lane(one.prices, k);
            if (price < lowest || price > highest) revert PriceOutOfRange(id, slot, price, lowest, highest);
        }
    }

    /// @return id number of an admitted member that has a connection, or of the grid operator.
    function _offerer(address account) private view returns (uint32 id) {
        id = REGISTRY.idOf(account);
        if (id < FIRST_PARTICIPANT && id != GRID_OPERATOR) revert NotAMember(account);
        Member memory m = REGISTRY.member(id);
        if (m.status != Status.Admitted) revert NotAMember(account);
    }

    /// @return the offer that applies to a day, all zero before the first.
    function _on(uint32 id, uint256 day) private view returns (Version memory) {
        Version[] storage versions = _offers[id];
        for (uint256 i = versions.length; i > 0; --i) {
            if (versions[i - 1].firstDay <= day) return versions[i - 1];
        }
        return Version(0, 0, 0, 0, 0);
    }
}
