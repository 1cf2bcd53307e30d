// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IAccounts} from "../interfaces/IAccounts.sol";
import {IMarket, Positions} from "../interfaces/IMarket.sol";
import {IMarketRules} from "../interfaces/IMarketRules.sol";
import {ISchedule, Plugged} from "../interfaces/ISchedule.sol";
import {PositionLists} from "../libraries/PositionLists.sol";
import {WorstDay} from "../libraries/WorstDay.sol";
import {Calendar, CalendarParameters} from "../types/Calendar.sol";
import {Ring} from "../types/Ring.sol";
import {Strips} from "../types/Strips.sol";
import {Money} from "../types/Units.sol";

/// @title Schedule
/// @dev Who has orders for a day is a bit of that day's word, so that a market without any costs nothing when it is settled.
contract Schedule is ISchedule, AccessManaged, Calendar {
    /// Gas for telling whether a day is cleared; of any call that is given so much, the caller keeps a 64th at least.
    uint256 private constant GAS_TO_TELL = 100_000;
    /// Bounds of what one market may say of a member: Wh of a day, money units of a day. Arrears of 512 such days fit an account.
    uint256 private constant MAX_TRADED = 1 << 48;
    int256 private constant MAX_PAYMENT = 1 << 63;
    uint32 private constant STAYS = type(uint32).max;

    /// What is known of a market, for good.
    struct Record {
        /// 0 of a market that was never added.
        uint32 firstDay;
        uint32 lastDay;
        /// First day from which its contracts deliver without a new order; beyond all days if it has none.
        uint32 contractsFrom;
        /// Its place in the sets; free again if the market has been removed.
        uint8 place;
        bool isRemoved;
        /// Whether it was ever void for a day.
        bool hasFailed;
    }

    /// A market in its place.
    struct Place {
        IMarket market;
        /// Whether it is the home market of the accounts, from whose collateral postings release.
        bool isHome;
    }

    /// Sets of markets, a bit for each place.
    struct Sets {
        uint128 pluggedIn;
        /// Those with contracts that deliver without a new order.
        uint128 withContracts;
    }

    /// Which markets have orders for a day, and which are void for it, a bit for each place.
    struct DaySets {
        uint16 day;
        uint120 withOrders;
        uint120 voided;
    }

    IMarketRules private immutable RULES;
    IAccounts private immutable ACCOUNTS;

    mapping(IMarket market => Record) private _records;
    mapping(uint256 place => Place) private _places;
    Sets private _sets;
    mapping(uint256 ringPlace => DaySets) private _days;
    /// Days for which a market is void, for good.
    mapping(IMarket market => mapping(uint256 day => bool)) public isVoid;

    constructor(address authority, CalendarParameters memory calendar_, IMarketRules rules, IAccounts accounts)
        AccessManaged(authority)
        Calendar(calendar_)
    {
        RULES = rules;
        ACCOUNTS = accounts;
    }

    /// @inheritdoc ISchedule
    function addMarket(IMarket market, uint32 firstDay) external restricted {
        uint256 earliest = dayAt(block.timestamp + OPEN_LEAD) + 1;
        if (firstDay < earliest) revert TooLateToAdd(firstDay, earliest);
        if (_records[market].firstDay != 0) revert MarketKnown(address(market));
        uint256 pluggedIn = _sets.pluggedIn;
        uint256 place = 0;
        while (pluggedIn & (1 << place) != 0) ++place;
        if (place == WorstDay.MAX_MARKETS) revert TooManyMarkets(WorstDay.MAX_MARKETS);
        _sets.pluggedIn = uint128(pluggedIn | (1 << place));
        _records[market] = Record(firstDay, STAYS, STAYS, uint8(place), false, false);
        // Before, it could only take orders for days it does not count for yet, whose collateral nothing would release.
        uint256 from = opensAt(firstDay);
        if (firstDay > 1 && gateClosesAt(firstDay - 1) > from) from = gateClosesAt(firstDay - 1);
        _places[place] = Place(market, ACCOUNTS.admitMarket(address(market), uint64(from)));
        emit MarketAdded(address(market), firstDay);
    }

    /// @inheritdoc ISchedule
    function retireMarket(IMarket market, uint32 lastDay) external restricted {
        Record storage record = _pluggedIn(market);
        uint256 earliest = dayAt(block.timestamp + OPEN_LEAD);
        // A day that it does not count for may be settled already.
        if (record.lastDay < earliest) revert TooLateToRetire(record.lastDay, earliest);
        if (lastDay < earliest) revert TooLateToRetire(lastDay, earliest);
        record.lastDay = lastDay;
        // Until the day is over it may be traded.
        ACCOUNTS.dismissMarket(
            address(market), lastDay < Strips.MAX_DAY ? uint64(startOf(uint256(lastDay) + 1)) : type(uint64).max
        );
        emit MarketRetired(address(market), lastDay);
    }

    /// @inheritdoc ISchedule
    function removeMarket(IMarket market) external {
        Record storage record = _pluggedIn(market);
        uint256 lastFinalDay = RULES.lastFinalDay();
        if (record.lastDay > lastFinalDay) {
            revert MarketStillCounts(address(market), record.lastDay, lastFinalDay);
        }
        record.isRemoved = true;
        uint128 others = ~(uint128(1) << record.place);
        Sets memory sets = _sets;
        _sets = Sets(sets.pluggedIn & others, sets.withContracts & others);
        emit MarketRemoved(address(market));
    }

    /// @inheritdoc ISchedule
    function releaseHeld(IMarket market, uint32[] calldata ids, Money[] calldata amounts) external restricted {
        Record storage record = _records[market];
        if (record.firstDay == 0) revert MarketUnknown(address(market));
        if (!record.hasFailed && record.lastDay > RULES.lastFinalDay()) revert MarketInOrder(address(market));
        for (uint256 i = 0; i < ids.length; ++i) {
            emit HeldReleased(address(market), ids[i], amounts[i]);
            ACCOUNTS.releaseHeld(address(market), ids[i], amounts[i]);
        }
    }

    /// @inheritdoc ISchedule
    function noteOrders(uint256 day) external {
        // Of a later day a market that is retired now would be asked though it does not count.
        if (block.timestamp < opensAt(day)) revert DayDoesNotCount(msg.sender, day);
        uint256 place = _placeFor(day);
        // The day that had this place in the ring is final.
        RULES.requireRoom(day);
        DaySets memory sets = _setsOf(day);
        sets.withOrders |= uint120(1 << place);
        _days[Ring.place(day)] = sets;
    }

    /// @inheritdoc ISchedule
    function noteContracts(uint32 firstDay) external {
        uint256 place = _placeFor(firstDay);
        _records[IMarket(msg.sender)].contractsFrom = firstDay;
        _sets.withContracts |= uint128(1 << place);
    }

    /// @inheritdoc ISchedule
    function markets() external view returns (Plugged[] memory found) {
        found = new Plugged[](WorstDay.MAX_MARKETS);
        uint256 n = 0;
        uint256 pluggedIn = _sets.pluggedIn;
        for (uint256 place = 0; pluggedIn != 0; ++place) {
            if (pluggedIn & 1 != 0) {
                IMarket market = _places[place].market;
                Record storage record = _records[market];
                found[n++] = Plugged(market, record.firstDay, record.lastDay);
            }
            pluggedIn >>= 1;
        }
        assembly ("memory-safe") {
            mstore(found, n)
        }
    }

    /// @inheritdoc ISchedule
    function isComplete(uint256 day) external view returns (bool) {
        if (block.timestamp < gateClosesAt(day)) return false;
        if (block.timestamp >= correctionsCloseAt(day)) return true;
        return _lateFor(day) == 0;
    }

    /// @inheritdoc ISchedule
    function voidLate(uint256 day) external restricted {
        if (block.timestamp < correctionsCloseAt(day)) return;
        uint256 late = _lateFor(day);
        for (uint256 place = 0; late != 0; ++place) {
            if (late & 1 != 0) _void(_places[place].market, day);
            late >>= 1;
        }
    }

    /// @inheritdoc ISchedule
    function collect(uint256 day, uint32 firstId, uint256 count)
        external
        restricted
        returns (Positions memory sum, bool isVoided)
    {
        if (count == 1) {
            IMarket failing;
            (sum, failing) = _bookOneOrNone(day, firstId);
            if (address(failing) != address(0)) {
                _void(failing, day);
                return (sum, true);
            }
        } else {
            sum = PositionLists.empty(count);
            uint256 asked = _askedFor(day);
            for (uint256 place = 0; asked != 0; ++place) {
                if (asked & 1 != 0) {
                    Place memory p = _places[place];
                    Positions memory more = p.market.book(day, firstId, count);
                    // This alone would pass unseen and spoil sums. What else cannot be is looked for where one is settled alone.
                    if (!_isWithin(more)) revert UnsoundPositions();
                    if (!p.isHome) _takeReleased(p.market, firstId, more.release);
                    _add(sum, more);
                }
                asked >>= 1;
            }
        }
        for (uint256 i = 0; i < count; ++i) {
            if (_hasAny(sum.net[i])) emit Scheduled(firstId + uint32(i), uint32(day), sum.net[i]);
        }
    }

    /// @inheritdoc ISchedule
    function bookOne(uint256 day, uint32 id) external returns (Positions memory sum) {
        if (msg.sender != address(this)) revert NotTheSchedule(msg.sender);
        sum = PositionLists.empty(1);
        uint256 asked = _askedFor(day);
        for (uint256 place = 0; asked != 0; ++place) {
            if (asked & 1 != 0) {
                Place memory p = _places[place];
                uint256 given = gasleft();
                try this.ask{gas: WorstDay.GAS_OF_MARKET}(p.market, day, id, p.isHome) returns (Positions memory more) {
                    _add(sum, more);
                } catch {
                    _requireGas(p.market, given, WorstDay.GAS_OF_MARKET);
                    revert MarketFails(address(p.market));
                }
            }
            asked >>= 1;
        }
    }

    /// @inheritdoc ISchedule
    function ask(IMarket market, uint256 day, uint32 id, bool isHome) external returns (Positions memory p) {
        if (msg.sender != address(this)) revert NotTheSchedule(msg.sender);
        p = market.book(day, id, 1);
        if (!_isSound(p)) revert UnsoundPositions();
        if (!isHome) {
            _takeReleased(market, id, p.release);
        } else if (p.release.length > 0 && p.release[0] > 0) {
            // The posting takes it. Nobody else has anything there: the home market is in the first place, so it is asked first.
            if (p.release[0] > ACCOUNTS.heldBy(address(market), id)) revert UnsoundPositions();
        }
    }

    /// Takes what a market releases from what it holds itself; one that holds less fails.
    function _takeReleased(IMarket market, uint32 firstId, uint256[] memory released) private {
        for (uint256 i = 0; i < released.length; ++i) {
            if (released[i] > 0) return ACCOUNTS.prepareRelease(address(market), firstId, released);
        }
    }

    /// Books one member in all markets, or in none if one of them fails.
    /// @return sum of all markets.
    /// @return failing the market that does.
    function _bookOneOrNone(uint256 day, uint32 id) private returns (Positions memory sum, IMarket failing) {
        try this.bookOne(day, id) returns (Positions memory booked) {
            return (booked, failing);
        } catch (bytes memory reason) {
            if (bytes4(reason) != MarketFails.selector) {
                assembly ("memory-safe") {
                    revert(add(reason, 32), mload(reason))
                }
            }
            assembly ("memory-safe") {
                failing := mload(add(reason, 36))
            }
        }
    }

    function _void(IMarket market, uint256 day) private {
        DaySets memory sets = _setsOf(day);
        sets.voided |= uint120(1 << _records[market].place);
        _days[Ring.place(day)] = sets;
        isVoid[market][day] = true;
        _records[market].hasFailed = true;
        emit MarketVoided(address(market), uint32(day));
    }

    /// @return late set of the markets that are asked for a day and do not know their trades of it.
    function _lateFor(uint256 day) private view returns (uint256 late) {
        uint256 asked = _askedFor(day);
        for (uint256 place = 0; asked != 0; ++place) {
            if (asked & 1 != 0 && !_isCleared(_places[place].market, day)) late |= 1 << place;
            asked >>= 1;
        }
    }

    /// @return whether a market says that it knows its trades; one that says nothing does not.
    function _isCleared(IMarket market, uint256 day) private view returns (bool) {
        bytes memory question = abi.encodeCall(IMarket.isCleared, (day));
        uint256 given = gasleft();
        uint256 answer;
        // Whatever comes back, one word of it is read.
        assembly ("memory-safe") {
            mstore(0, 0)
            if staticcall(GAS_TO_TELL, market, add(question, 32), mload(question), 0, 32) {
                if gt(returndatasize(), 31) { answer := add(mload(0), 1) }
            }
        }
        if (answer == 0) _requireGas(market, given, GAS_TO_TELL);
        return answer == 2;
    }

    /// Without enough gas anybody could make a market fail.
    function _requireGas(IMarket market, uint256 given, uint256 gas) private pure {
        // Of what there is a call gets 63 of 64 parts at most.
        uint256 needed = gas + gas / 32;
        if (given < needed) revert TooLittleGas(address(market), given, needed);
    }

    /// @return whether what a market says of one member can be.
    function _isSound(Positions memory p) private view returns (bool) {
        uint256 n = p.net.length;
        if (n > 1 || p.flexible.length > n) return false;
        if (n == 0) return p.payment.length + p.traded.length + p.release.length == 0;
        if (p.payment.length != 1 || p.traded.length != 1 || p.release.length != 1) return false;
        if (p.payment[0] > MAX_PAYMENT || p.payment[0] < -MAX_PAYMENT || p.traded[0] > MAX_TRADED) return false;
        uint256 strips = p.net[0].length;
        if ((strips != 0 && strips != STRIPS_PER_DAY) || !_isWithin(p)) return false;
        if (p.flexible.length == 0) return true;
        uint256[] memory flexible = p.flexible[0];
        if (flexible.length != 0 && flexible.length != STRIPS_PER_DAY) return false;
        for (uint256 strip = 0; strip < flexible.length; ++strip) {
            if (flexible[strip] & ~Strips.LANES_MASK != 0) return false;
        }
        return true;
    }

    /// @return whether what a market says of some members fits beside what all others may say: each energy within the bound, each
    /// release of somebody who is posted.
    function _isWithin(Positions memory p) private pure returns (bool) {
        if (p.release.length != p.net.length) return false;
        for (uint256 i = 0; i < p.net.length; ++i) {
            uint256[] memory net = p.net[i];
            for (uint256 strip = 0; strip < net.length; ++strip) {
                if (!Strips.isWithinBound(net[strip])) return false;
            }
        }
        return true;
    }

    function _pluggedIn(IMarket market) private view returns (Record storage record) {
        record = _records[market];
        if (record.firstDay == 0 || record.isRemoved) revert MarketUnknown(address(market));
    }

    /// @return place of the calling market, which may have orders for the day still.
    function _placeFor(uint256 day) private view returns (uint256 place) {
        Record memory record = _records[IMarket(msg.sender)];
        // Of a day whose readings are due some members may be settled already.
        if (!_counts(record, day) || block.timestamp >= meteringDeadline(day)) revert DayDoesNotCount(msg.sender, day);
        return record.place;
    }

    function _counts(Record memory record, uint256 day) private pure returns (bool) {
        return record.firstDay != 0 && day >= record.firstDay && day <= record.lastDay;
    }

    /// @return sets of a day, empty if nothing is known of it.
    function _setsOf(uint256 day) private view returns (DaySets memory sets) {
        sets = _days[Ring.place(day)];
        if (sets.day != day) sets = DaySets(uint16(day), 0, 0);
    }

    /// @return asked set of the markets that have orders or contracts for a day and are not void for it.
    function _askedFor(uint256 day) private view returns (uint256 asked) {
        DaySets memory sets = _setsOf(day);
        asked = sets.withOrders;
        uint256 withContracts = _sets.withContracts;
        for (uint256 place = 0; withContracts != 0; ++place) {
            if (withContracts & 1 != 0) {
                Record memory record = _records[_places[place].market];
                if (day >= record.contractsFrom && day <= record.lastDay) asked |= 1 << place;
            }
            withContracts >>= 1;
        }
        asked &= ~uint256(sets.voided);
    }

    function _add(Positions memory sum, Positions memory more) private pure {
        for (uint256 i = 0; i < more.net.length; ++i) {
            sum.net[i] = _addStrips(sum.net[i], more.net[i]);
            sum.payment[i] += more.payment[i];
            sum.traded[i] += more.traded[i];
            sum.release[i] += more.release[i];
        }
        if (more.flexible.length == 0) return;
        if (sum.flexible.length == 0) sum.flexible = new uint256[][](sum.net.length);
        for (uint256 i = 0; i < more.flexible.length; ++i) {
            sum.flexible[i] = _addUnsigned(sum.flexible[i], more.flexible[i]);
        }
    }

    function _addStrips(uint256[] memory a, uint256[] memory b) private pure returns (uint256[] memory) {
        if (a.length == 0) return b;
        for (uint256 s = 0; s < b.length; ++s) {
            a[s] = Strips.addSigned(a[s], b[s]);
        }
        return a;
    }

    /// A member's energies of all markets together fit a lane.
    function _addUnsigned(uint256[] memory a, uint256[] memory b) private pure returns (uint256[] memory) {
        if (a.length == 0) return b;
        for (uint256 s = 0; s < b.length; ++s) {
            a[s] += b[s];
        }
        return a;
    }

    function _hasAny(uint256[] memory strips) private pure returns (bool) {
        for (uint256 s = 0; s < strips.length; ++s) {
            if (strips[s] != Strips.ZERO_LANES) return true;
        }
        return false;
    }
}
