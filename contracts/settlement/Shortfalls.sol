// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IAccounts, Posting} from "../interfaces/IAccounts.sol";
import {IShortfalls, Shortfall} from "../interfaces/IShortfalls.sol";
import {ProRata} from "../libraries/ProRata.sol";
import {CLEARING_HOUSE, FALLBACK_SUPPLIER} from "../types/Members.sol";

/// @title Shortfalls
/// @dev Days are kept for as long as anybody waits, not in the ring. A day without a default writes nothing here.
contract Shortfalls is IShortfalls, AccessManaged {
    using SafeCast for int256;
    using SafeCast for uint256;

    uint256 private constant DAYS_AT_ONCE = 16;

    struct Day {
        Shortfall shortfall;
        /// Whether it is among the days that wait.
        bool isWaiting;
        /// What it was when it was settled again last, if its claims are being restored.
        Shortfall reopened;
    }

    /// What was taken back from a member, and what it has been paid of that, money units.
    struct Claim {
        uint128 units;
        uint128 paid;
    }

    /// The walk that takes back: what all were paid, and those before the next member, money units.
    struct Walk {
        uint128 received;
        uint128 before;
    }

    IAccounts private immutable ACCOUNTS;

    mapping(uint32 day => Day) private _days;
    mapping(uint256 key => Claim) private _claims;
    Walk private _walk;
    /// Days that wait, ascending, from _first on; a day whose claims were restored has none.
    uint32[] private _waiting;
    uint256 private _first;

    constructor(address authority, IAccounts accounts) AccessManaged(authority) {
        ACCOUNTS = accounts;
    }

    /// @inheritdoc IShortfalls
    function setAside() external {
        if (ACCOUNTS.heldUntil() != 0) revert DayInSettlement();
        if (!_setAside()) revert NothingToSetAside();
    }

    /// @inheritdoc IShortfalls
    function setAsideFirst() external restricted {
        _setAside();
    }

    /// @inheritdoc IShortfalls
    function pay(uint32 day, uint32 firstId, uint256 count) external {
        Shortfall memory s = _days[day].shortfall;
        if (s.setAside == s.paid) revert NothingToPay(day);
        Posting[] memory postings = new Posting[](count + 1);
        uint256 total = 0;
        uint256 n = 1;
        for (uint256 i = 0; i < count; ++i) {
            uint32 id = firstId + uint32(i);
            Claim storage claim = _claims[_key(id, day)];
            (uint256 units, uint256 paid) = (claim.units, claim.paid);
            // Rounded down until all is set aside: no part ever falls, and all of them come to the whole.
            uint256 due = (units * s.setAside) / s.units - paid;
            if (due == 0) continue;
            claim.paid = uint128(paid + due);
            postings[n++] = Posting(id, due.toInt256().toInt128(), 0);
            total += due;
            emit MadeGood(id, day, due);
        }
        _days[day].shortfall.paid = s.paid + total.toUint128();
        _share(CLEARING_HOUSE, -total.toInt256(), postings, n, 0, false);
    }

    /// @inheritdoc IShortfalls
    function begin(uint32 day, uint256 units, uint256 received) external restricted {
        Day storage d = _days[day];
        d.shortfall = Shortfall(units.toUint128(), 0, 0);
        delete d.reopened;
        _walk = Walk(received.toUint128(), 0);
        if (!d.isWaiting) {
            d.isWaiting = true;
            _waiting.push(day);
            // Only days that are not final come in, and of these there are few.
            uint256 at = _waiting.length - 1;
            for (; at > _first && _waiting[at - 1] > day; --at) {
                _waiting[at] = _waiting[at - 1];
            }
            _waiting[at] = day;
        }
        emit ShortfallShared(day, units, received);
    }

    /// @inheritdoc IShortfalls
    function take(uint32 day, uint32 firstId, uint256[] calldata received) external restricted {
        Walk memory walk = _walk;
        uint256 units = _days[day].shortfall.units;
        Posting[] memory postings = new Posting[](received.length + 1);
        uint256 total = 0;
        uint256 n = 1;
        for (uint256 i = 0; i < received.length; ++i) {
            uint256 part = ProRata.fillDown(walk.before, received[i], units, walk.received);
            walk.before += received[i].toUint128();
            if (part == 0) continue;
            uint32 id = firstId + uint32(i);
            _claims[_key(id, day)] = Claim(uint128(part), 0);
            postings[n++] = Posting(id, -part.toInt256().toInt128(), 0);
            total += part;
            emit TakenBack(id, day, part);
        }
        _walk = walk;
        _share(FALLBACK_SUPPLIER, total.toInt256(), postings, n, total.toInt256(), false);
    }

    /// @inheritdoc IShortfalls
    function reopen(uint32 day) external restricted {
        Day storage d = _days[day];
        Shortfall memory s = d.shortfall;
        if (s.units == 0) return;
        uint256 claims = s.units - s.setAside;
        uint256 returned = s.setAside - s.paid;
        d.shortfall = Shortfall(0, 0, 0);
        d.reopened = s;
        Posting[] memory postings = new Posting[](2);
        postings[1] = Posting(CLEARING_HOUSE, -returned.toInt256().toInt128(), 0);
        _share(FALLBACK_SUPPLIER, returned.toInt256(), postings, 2, -claims.toInt256(), false);
        emit Reopened(day, claims, returned);
    }

    /// @inheritdoc IShortfalls
    function restore(uint32 day, uint32 firstId, uint256 count)
        external
        restricted
        returns (uint256[] memory units, uint256[] memory least)
    {
        Shortfall memory s = _days[day].reopened;
        if (s.units == 0) return (units, least);
        units = new uint256[](count);
        least = new uint256[](count);
        Posting[] memory postings = new Posting[](count + 1);
        uint256 total = 0;
        uint256 n = 1;
        for (uint256 i = 0; i < count; ++i) {
            uint32 id = firstId + uint32(i);
            Claim memory claim = _claims[_key(id, day)];
            if (claim.units == 0) continue;
            delete _claims[_key(id, day)];
            uint256 left = claim.units - claim.paid;
            if (left == 0) continue;
            // What was set aside for a claim is its own, and not shared again.
            uint256 due = (uint256(claim.units) * s.setAside) / s.units - claim.paid;
            if (due > 0) emit MadeGood(id, day, due);
            (units[i], least[i]) = (left - due, _missing(id, left, due));
            postings[n++] = Posting(id, left.toInt256().toInt128(), 0);
            total += left;
            if (units[i] > 0) emit Restored(id, day, units[i]);
        }
        // With all set aside nothing is left to be shared, otherwise something is of every claim.
        _share(FALLBACK_SUPPLIER, -total.toInt256(), postings, n, 0, s.setAside < s.units);
    }

    /// @inheritdoc IShortfalls
    function shortfallOf(uint32 day) external view returns (Shortfall memory) {
        return _days[day].shortfall;
    }

    /// @inheritdoc IShortfalls
    function claimOf(uint32 id, uint32 day) external view returns (uint128 units, uint128 paid) {
        Claim memory claim = _claims[_key(id, day)];
        return (claim.units, claim.paid);
    }

    /// @inheritdoc IShortfalls
    function waitingDays() external view returns (uint32[] memory waiting) {
        waiting = new uint32[](_waiting.length - _first);
        for (uint256 i = 0; i < waiting.length; ++i) {
            waiting[i] = _waiting[_first + i];
        }
    }

    /// @return hasAny whether anything was set aside.
    // Only the accounts are called, which call nobody.
    // slither-disable-next-line reentrancy-no-eth
    function _setAside() private returns (bool hasAny) {
        (uint256 first, uint256 end) = (_first, _waiting.length);
        if (first == end) return false;
        (int256 free, uint256 creditLimit) = ACCOUNTS.fundsOf(FALLBACK_SUPPLIER);
        int256 headroom = free + int256(creditLimit);
        for (uint256 n = 0; n < DAYS_AT_ONCE && first < end && headroom > 0; ++n) {
            uint32 day = _waiting[first];
            Day storage d = _days[day];
            uint256 units = d.shortfall.units - d.shortfall.setAside;
            if (units <= uint256(headroom)) {
                d.isWaiting = false;
                ++first;
            } else {
                units = uint256(headroom);
            }
            if (units == 0) continue;
            hasAny = true;
            headroom -= int256(units);
            d.shortfall.setAside += units.toUint128();
            Posting[] memory postings = new Posting[](2);
            postings[1] = Posting(CLEARING_HOUSE, units.toInt256().toInt128(), 0);
            _share(FALLBACK_SUPPLIER, -units.toInt256(), postings, 2, -units.toInt256(), false);
            emit SetAside(day, units);
        }
        _first = first;
    }

    /// @return units of what is left of a claim, but for what was set aside, that only fill the account up to its floor.
    function _missing(uint32 id, uint256 left, uint256 due) private view returns (uint256 units) {
        (int256 free, uint256 creditLimit) = ACCOUNTS.fundsOf(id);
        int256 missing = -free - int256(creditLimit) - due.toInt256();
        if (missing > 0) units = Math.min(uint256(missing), left - due);
    }

    /// @param postings the first n count; the first of all is that of the other side.
    function _share(
        uint32 otherSide,
        int256 amount,
        Posting[] memory postings,
        uint256 n,
        int256 claims,
        bool isPaidNow
    ) private {
        if (n == 1) return;
        postings[0] = Posting(otherSide, amount.toInt128(), 0);
        assembly ("memory-safe") {
            mstore(postings, n)
        }
        ACCOUNTS.share(postings, claims, isPaidNow);
    }

    /// Days are no ring here: a claim lasts until it is paid.
    function _key(uint32 id, uint32 day) private pure returns (uint256) {
        return (uint256(id) << 32) | day;
    }
}
