// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IAccounts} from "../../interfaces/IAccounts.sol";
import {CongestionOrder, CongestionRequest, ICongestionTrades} from "../../interfaces/ICongestionTrades.sol";
import {IFallbackSupply} from "../../interfaces/IFallbackSupply.sol";
import {IGridLimits} from "../../interfaces/IGridLimits.sol";
import {IMarket, Positions} from "../../interfaces/IMarket.sol";
import {IMarketRules, ImbalancePricing, Rules} from "../../interfaces/IMarketRules.sol";
import {Pair} from "../../interfaces/IPairMarket.sol";
import {IParticipantRegistry} from "../../interfaces/IParticipantRegistry.sol";
import {ISchedule} from "../../interfaces/ISchedule.sol";
import {DayTerms} from "../../libraries/DayTerms.sol";
import {NetPositions} from "../../libraries/NetPositions.sol";
import {PositionLists} from "../../libraries/PositionLists.sol";
import {Calendar, CalendarParameters} from "../../types/Calendar.sol";
import {FIRST_PARTICIPANT, GRID_OPERATOR} from "../../types/Members.sol";
import {Orders} from "../../types/Orders.sol";
import {PriceScale} from "../../types/PriceScale.sol";
import {Ring} from "../../types/Ring.sol";
import {SigningDomain} from "../../types/SigningDomain.sol";
import {Strips} from "../../types/Strips.sol";
import {Tariffs} from "../../types/Tariffs.sol";
import {Energy, MAX_TICK, Money} from "../../types/Units.sol";

/// @title Trades for the network
/// @dev Who brings the orders of a request brings them sorted: one pass sees that they are, that none is missing, and what they trade.
contract CongestionTrades is ICongestionTrades, AccessManaged, SigningDomain, Calendar, PriceScale, Multicall {
    using SafeCast for uint256;

    /// Where a zone is, seen from a request.
    enum Part {
        Outside,
        Inside,
        Barred
    }

    /// A request as it is stored: one word.
    struct Request {
        uint16 day;
        uint8 slot;
        bool isFedIn;
        bool hasMet;
        /// Standing orders.
        uint16 bids;
        uint16 asks;
        /// Orders that ever stood.
        uint32 arrivals;
        uint32 energy;
        uint16 spread;
        uint40 closesAt;
        uint64 budget;
    }

    /// A member's order for a request: one word.
    struct Order {
        uint40 sequence;
        uint16 tick;
        uint32 energy;
        /// Place among all orders for the request that ever stood, from 1.
        uint32 arrival;
        bool isBid;
    }

    /// What a member has of a day, in one word.
    struct Account {
        uint16 day;
        /// Wh bought and sold.
        uint64 traded;
        /// Units: positive pays.
        int96 payment;
        /// Collateral until the day is booked, units.
        uint80 locked;
    }

    bytes32 private constant REQUEST_TYPEHASH = keccak256(
        "CongestionRequest(uint32 day,uint16 slot,bool isFedIn,uint16[] zones,uint16[] barred,uint32 energy,uint16 spread,uint64 budget,uint64 closesAt,bytes32 report,uint40 sequence)"
    );
    bytes32 private constant ORDER_TYPEHASH =
        keccak256("CongestionOrder(address account,uint32 number,uint16 tick,uint32 energy,uint40 sequence)");

    /// Orders of a side that meet in one transaction, whatever they are (tests/differential/test_congestion.py).
    uint256 public constant MAX_ORDERS = 150;
    /// For a period, so that what a member trades in it is far from what one market may contract for it.
    uint256 private constant MAX_REQUESTS = 8;
    /// Inside of an area, and as many that are barred.
    uint256 private constant MAX_ZONES = 16;
    uint256 private constant TICK_SHIFT = 32;

    IParticipantRegistry private immutable REGISTRY;
    IMarketRules private immutable RULES;
    IAccounts private immutable ACCOUNTS;
    ISchedule private immutable SCHEDULE;
    IGridLimits private immutable LIMITS;
    IFallbackSupply private immutable FALLBACK;
    /// From the last moment at which orders for a period meet to its beginning, s.
    uint256 private immutable LEAD;

    mapping(uint32 number => Request) private _requests;
    mapping(uint32 number => mapping(uint16 zone => Part)) private _parts;
    mapping(uint32 number => mapping(uint32 id => Order)) private _orders;
    mapping(uint256 key => Account) private _accounts;
    /// By member and strip: net energy in six signed lanes, beside the day.
    mapping(uint256 key => uint256) private _positions;
    /// Requests for a slot, beside the day.
    mapping(uint256 key => uint256) private _requested;
    /// @inheritdoc ICongestionTrades
    uint40 public lastRequest;
    /// @inheritdoc ICongestionTrades
    uint32 public requestCount;

    /// @param lead seconds before a period from which nothing meets for it any more.
    constructor(
        address authority,
        CalendarParameters memory calendar_,
        uint256 lead,
        IParticipantRegistry registry,
        IMarketRules rules,
        IAccounts accounts,
        ISchedule schedule,
        IGridLimits limits,
        IFallbackSupply fallbackSupply
    ) AccessManaged(authority) Calendar(calendar_) PriceScale(rules) {
        if (lead > OPEN_LEAD) revert BadCalendar("lead", lead, OPEN_LEAD);
        LEAD = lead;
        REGISTRY = registry;
        RULES = rules;
        ACCOUNTS = accounts;
        SCHEDULE = schedule;
        LIMITS = limits;
        FALLBACK = fallbackSupply;
    }

    /// @inheritdoc ICongestionTrades
    function request(CongestionRequest calldata r, bytes calldata signature)
        external
        restricted
        returns (uint32 number)
    {
        _requireSigned(REGISTRY.member(GRID_OPERATOR).account, _hashOf(r), signature);
        if (r.sequence <= lastRequest) revert StaleMessage(GRID_OPERATOR, r.sequence, lastRequest);
        lastRequest = r.sequence;
        _requireTime(r);
        _requireTerms(r);
        uint256 key = Ring.dayKey(r.day, r.slot);
        uint256 known = Strips.dayOf(_requested[key]) == r.day ? _requested[key] & Strips.LANES_MASK : 0;
        if (known == MAX_REQUESTS) revert TooManyRequests(r.day, r.slot, MAX_REQUESTS);
        _requested[key] = Strips.withDay(known + 1, r.day);
        number = ++requestCount;
        _requests[number] = Request({
            day: uint16(r.day),
            slot: uint8(r.slot),
            isFedIn: r.isFedIn,
            hasMet: false,
            bids: 0,
            asks: 0,
            arrivals: 0,
            energy: r.energy,
            spread: r.spread,
            closesAt: uint40(r.closesAt),
            budget: r.budget
        });
        _place(number, r.zones, Part.Inside);
        _place(number, r.barred, Part.Barred);
        Account storage account = _accountOf(GRID_OPERATOR, r.day);
        account.locked = (uint256(account.locked) + r.budget).toUint80();
        emit Requested(number, r.day, r);
        SCHEDULE.noteOrders(r.day);
        // Its own money, and no credit: so what it owes for trades it has.
        ACCOUNTS.lockCollateral(GRID_OPERATOR, int128(uint128(r.budget)));
    }

    /// @inheritdoc ICongestionTrades
    function order(CongestionOrder calldata o, bytes calldata signature) external {
        bytes32 message = keccak256(abi.encode(ORDER_TYPEHASH, o.account, o.number, o.tick, o.energy, o.sequence));
        _requireSigned(o.account, message, signature);
        Request memory r = _known(o.number);
        if (block.timestamp >= r.closesAt) revert RequestClosed(o.number, r.closesAt, block.timestamp);
        Rules memory rules = RULES.rulesOf(r.day);
        uint32 id = o.energy == 0 ? _memberOf(o.account) : _traderOf(o, r.day, rules);
        Order memory before = _orders[o.number][id];
        if (o.sequence <= before.sequence) revert StaleMessage(id, o.sequence, before.sequence);
        bool isBid = _isBid(o.number, id, r);
        if (before.energy > 0) {
            if (isBid) --r.bids;
            else --r.asks;
        }
        if (o.energy > 0) {
            if ((isBid ? r.bids : r.asks) == MAX_ORDERS) revert SideIsFull(o.number, isBid, MAX_ORDERS);
            if (isBid) ++r.bids;
            else ++r.asks;
            ++r.arrivals;
        }
        Order memory after_ = Order(o.sequence, o.tick, o.energy, r.arrivals, isBid);
        _requests[o.number] = r;
        _orders[o.number][id] = after_;
        emit Ordered(o.number, id, r.day, isBid, o.tick, o.energy, o.sequence);
        _secure(id, r.day, _locks(before, rules), _locks(after_, rules), o.energy > 0);
    }

    /// @inheritdoc ICongestionTrades
    function meet(uint32 number, uint32[] calldata bidders, uint32[] calldata askers) external {
        Request memory r = _known(number);
        if (r.hasMet) revert HaveMet(number);
        if (block.timestamp < r.closesAt) revert RequestOpen(number, r.closesAt, block.timestamp);
        uint256 gate = _gateOf(r.day, r.slot);
        if (block.timestamp >= gate) revert TooLateToMeet(number, gate, block.timestamp);
        if (bidders.length != r.bids) revert OrdersMissing(number, true, bidders.length, r.bids);
        if (askers.length != r.asks) revert OrdersMissing(number, false, askers.length, r.asks);
        _requests[number].hasMet = true;
        (Pair[] memory pairs, uint256 paid) =
            _walk(r, _sorted(number, bidders, true), _sorted(number, askers, false), bidders, askers);
        for (uint256 n = 0; n < pairs.length; ++n) {
            Pair memory p = pairs[n];
            // The seller has its limit, and the buyer pays no more than that.
            _bookSide(r, p.buyer, p.energy, p.bid < p.ask ? p.bid : p.ask, true);
            _bookSide(r, p.seller, p.energy, p.ask, false);
        }
        if (paid > 0) _accountOf(GRID_OPERATOR, r.day).payment += int96(int256(paid));
        emit Met(number, r.day, pairs, paid);
    }

    /// @inheritdoc IMarket
    function book(uint256 day, uint32 firstId, uint256 count) external restricted returns (Positions memory p) {
        if (!isCleared(day)) revert NotCleared(day);
        p = PositionLists.empty(count);
        for (uint256 i = 0; i < count; ++i) {
            uint32 id = firstId + uint32(i);
            Account memory account = _accounts[Ring.memberKey(id, day)];
            if (account.day != day) continue;
            if (account.locked > 0) {
                p.release[i] = account.locked;
                _accounts[Ring.memberKey(id, day)].locked = 0;
            }
            // The grid operator pays, and trades nothing.
            (p.payment[i], p.traded[i]) = (account.payment, account.traded);
            if (account.traded == 0) continue;
            p.net[i] = new uint256[](STRIPS_PER_DAY);
            for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
                p.net[i][strip] = Strips.signedLanes(_positions[Ring.lineKey(id, day, strip)], day);
            }
        }
    }

    /// @inheritdoc IMarket
    function isCleared(uint256 day) public view returns (bool) {
        return day > 0 && day <= Strips.MAX_DAY && block.timestamp >= startOf(day) + DAY_LENGTH;
    }

    /// @inheritdoc ICongestionTrades
    function lastSequence(uint32 number, uint32 id) external view returns (uint40) {
        return _orders[number][id].sequence;
    }

    // ------------------------------------------------------------------------------------------------------- requesting

    function _hashOf(CongestionRequest calldata r) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                REQUEST_TYPEHASH,
                r.day,
                r.slot,
                r.isFedIn,
                keccak256(abi.encodePacked(r.zones)),
                keccak256(abi.encodePacked(r.barred)),
                r.energy,
                r.spread,
                r.budget,
                r.closesAt,
                r.report,
                r.sequence
            )
        );
    }

    function _requireSigned(address account, bytes32 message, bytes calldata signature) private view {
        address signer = ECDSA.recover(_hashTypedDataV4(message), signature);
        if (signer != account) revert NotSignedBy(account, signer);
    }

    /// Members have a period to order in, and anybody has one to bring what they ordered.
    function _requireTime(CongestionRequest calldata r) private view {
        uint256 gate = gateClosesAt(r.day);
        if (block.timestamp < gate) revert GateIsOpen(r.day, gate, block.timestamp);
        if (r.slot >= PERIODS_PER_DAY) revert BadTerm("slot", r.slot, PERIODS_PER_DAY - 1);
        uint256 earliest = block.timestamp + PERIOD_LENGTH;
        uint256 latest = _gateOf(r.day, r.slot) - PERIOD_LENGTH;
        if (r.closesAt < earliest || r.closesAt > latest) revert NoTimeToOrder(r.closesAt, earliest, latest);
    }

    function _requireTerms(CongestionRequest calldata r) private view {
        if (r.energy == 0) revert BadTerm("energy", 0, 1);
        if (r.energy > Orders.ENERGY_MASK) revert BadTerm("energy", r.energy, Orders.ENERGY_MASK);
        if (r.budget == 0) revert BadTerm("budget", 0, 1);
        uint256 most = _highestSpread(r.day, r.slot);
        if (r.spread > most) revert BadTerm("spread", r.spread, most);
        if (r.zones.length == 0) revert BadTerm("zones", 0, 1);
        if (r.zones.length > MAX_ZONES) revert BadTerm("zones", r.zones.length, MAX_ZONES);
        if (r.barred.length > MAX_ZONES) revert BadTerm("barred", r.barred.length, MAX_ZONES);
    }

    /// @return ticks that two accounts of one owner lose at least that trade on paper with each other: the fees of both and, where
    /// imbalances cost the tariffs, what these are apart. Under other pricings one is long what the other is short, at one price.
    function _highestSpread(uint256 day, uint256 slot) private view returns (uint256) {
        Rules memory rules = RULES.rulesOf(day);
        uint256 lost = 2 * DayTerms.fees(rules);
        if (rules.imbalancePricing == ImbalancePricing.Tariff) {
            uint256 tariffs = FALLBACK.tariffsOf(day)[slot / Strips.LANES];
            (uint256 buy, uint256 sell) = Tariffs.unpack(Strips.lane(tariffs, slot % Strips.LANES));
            lost += buy - sell;
        }
        return lost / UNITS_PER_TICK;
    }

    function _place(uint32 number, uint16[] calldata zones, Part part) private {
        for (uint256 n = 0; n < zones.length; ++n) {
            uint16 zone = zones[n];
            // Who has no zone is behind no line that could be too full.
            if ((zone == 0 && part == Part.Inside) || _parts[number][zone] != Part.Outside) revert ZoneUnusable(zone);
            _parts[number][zone] = part;
        }
    }

    /// @return unix time from which nothing meets for a period.
    function _gateOf(uint256 day, uint256 slot) private view returns (uint256) {
        return startOf(day) + slot * PERIOD_LENGTH - LEAD;
    }

    function _known(uint32 number) private view returns (Request memory r) {
        r = _requests[number];
        if (r.day == 0) revert NoSuchRequest(number);
    }

    // --------------------------------------------------------------------------------------------------------- ordering

    /// @return id number of a member that takes something back, which it may do whatever its standing is.
    function _memberOf(address account) private view returns (uint32 id) {
        id = REGISTRY.idOf(account);
        if (id < FIRST_PARTICIPANT) revert NotAMember(account);
    }

    /// @return id number of an admitted member whose connection carries the order.
    function _traderOf(CongestionOrder calldata o, uint256 day, Rules memory rules) private view returns (uint32 id) {
        uint256 imports;
        uint256 exports;
        (id, imports, exports) = REGISTRY.requireTrader(o.account, day);
        if (id < FIRST_PARTICIPANT) revert NotAMember(o.account);
        if (o.tick > MAX_TICK) revert BadTerm("tick", o.tick, MAX_TICK);
        uint256 least = Energy.unwrap(rules.minOrderEnergy);
        if (o.energy < least) revert BadTerm("energy", o.energy, least);
        // Enough to stop feeding in and to draw besides, or the other way round (rule 7.5).
        uint256 most = Orders.mostWithin(imports + exports);
        if (o.energy > most) revert BadTerm("energy", o.energy, most);
    }

    /// @return whether a member's order is a bid. Its zone of a day stays as it is once the day has opened.
    function _isBid(uint32 number, uint32 id, Request memory r) private view returns (bool) {
        uint16 zone = LIMITS.zoneOn(id, r.day);
        Part part = _parts[number][zone];
        if (part == Part.Barred) revert ZoneBarred(number, id, zone);
        return (part == Part.Inside) == r.isFedIn;
    }

    /// @return collateral of an order, money units (rule 5.4).
    function _locks(Order memory o, Rules memory rules) private view returns (uint256) {
        return o.isBid
            ? DayTerms.buyerLocks(o.energy, _priceOf(o.tick), DayTerms.extra(rules))
            : DayTerms.sellerLocks(o.energy, _priceOf(o.tick), DayTerms.ceiling(rules));
    }

    /// An order, even one that locks nothing more, has to come from somebody without arrears; taking it back need not.
    function _secure(uint32 id, uint256 day, uint256 released, uint256 locked, bool isOrder) private {
        Account storage account = _accountOf(id, day);
        account.locked = (uint256(account.locked) + locked - released).toUint80();
        // An order's collateral has 60 bits.
        unchecked {
            if (isOrder) ACCOUNTS.lockCollateral(id, int128(int256(locked) - int256(released)));
            else ACCOUNTS.releaseCollateral(id, Money.wrap(uint128(released)));
        }
    }

    // ---------------------------------------------------------------------------------------------------------- meeting

    /// @return sorted the standing orders of a side. There are as many as are brought, and each comes after the one before: so these
    /// are all, and in their order.
    function _sorted(uint32 number, uint32[] calldata ids, bool isBid) private view returns (Order[] memory sorted) {
        sorted = new Order[](ids.length);
        uint256 last = 0;
        for (uint256 n = 0; n < ids.length; ++n) {
            Order memory o = _orders[number][ids[n]];
            uint256 rank = ((isBid ? MAX_TICK - o.tick : o.tick) << TICK_SHIFT) | o.arrival;
            if (o.energy == 0 || o.isBid != isBid || rank <= last) revert OutOfOrder(number, isBid, ids[n]);
            last = rank;
            sorted[n] = o;
        }
    }

    /// The heads of both sides meet until the energy, the spread or the budget is used up. Every further pair is as far apart, or
    /// farther: so if one is too dear all that follow are.
    /// @param bidders members whose bids these are, and
    /// @param askers those whose asks.
    /// @return pairs what is traded.
    /// @return paid what the grid operator pays, money units.
    function _walk(
        Request memory r,
        Order[] memory bids,
        Order[] memory asks,
        uint32[] calldata bidders,
        uint32[] calldata askers
    ) private view returns (Pair[] memory pairs, uint256 paid) {
        pairs = new Pair[](bids.length + asks.length);
        uint256 count = 0;
        uint256 left = r.energy;
        uint256 i = 0;
        uint256 j = 0;
        // Energies of 27 bits at a spread of 20, and no more than the budget.
        unchecked {
            while (i < bids.length && j < asks.length) {
                (Order memory bid, Order memory ask) = (bids[i], asks[j]);
                uint256 apart = ask.tick > bid.tick ? ask.tick - bid.tick : 0;
                if (apart > r.spread) break;
                uint256 energy = bid.energy < ask.energy ? bid.energy : ask.energy;
                if (left < energy) energy = left;
                if (apart > 0) {
                    uint256 price = apart * UNITS_PER_TICK;
                    // What is left then pays for no further Wh.
                    // slither-disable-next-line divide-before-multiply
                    uint256 payable_ = (r.budget - paid) / price;
                    if (payable_ < energy) energy = payable_;
                    paid += energy * price;
                }
                // No energy that is wanted, or no money for a Wh of it.
                if (energy == 0) break;
                pairs[count++] = Pair(bidders[i], askers[j], uint32(energy), bid.tick, ask.tick);
                left -= energy;
                bid.energy -= uint32(energy);
                ask.energy -= uint32(energy);
                if (bid.energy == 0) ++i;
                if (ask.energy == 0) ++j;
                if (bid.energy > 0 && ask.energy > 0) break;
            }
        }
        assembly ("memory-safe") {
            mstore(pairs, count)
        }
    }

    /// Books what a side of a pair trades at its price.
    function _bookSide(Request memory r, uint32 id, uint256 energy, uint256 tick, bool isBuyer) private {
        Account storage account = _accountOf(id, r.day);
        // Eight requests of a period: far from these bounds.
        unchecked {
            int256 amount = int256(energy) * _priceOf(tick);
            account.traded += uint64(energy);
            account.payment += int96(isBuyer ? amount : -amount);
        }
        uint256 key = Ring.lineKey(id, r.day, r.slot / Strips.LANES);
        uint256 net = Strips.signedLanes(_positions[key], r.day);
        _positions[key] = Strips.withDay(NetPositions.moved(net, r.slot % Strips.LANES, energy, isBuyer), r.day);
    }

    function _accountOf(uint32 id, uint256 day) private returns (Account storage account) {
        account = _accounts[Ring.memberKey(id, day)];
        if (account.day != day) _accounts[Ring.memberKey(id, day)] = Account(uint16(day), 0, 0, 0);
    }
}
