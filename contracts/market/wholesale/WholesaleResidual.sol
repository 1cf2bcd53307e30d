// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IAccounts} from "../../interfaces/IAccounts.sol";
import {ICallAuction} from "../../interfaces/ICallAuction.sol";
import {IExchange} from "../../interfaces/IExchange.sol";
import {IMarket, Positions} from "../../interfaces/IMarket.sol";
import {IMarketRules, Rules} from "../../interfaces/IMarketRules.sol";
import {IParticipantRegistry} from "../../interfaces/IParticipantRegistry.sol";
import {ISchedule} from "../../interfaces/ISchedule.sol";
import {IWholesaleDesk} from "../../interfaces/IWholesaleDesk.sol";
import {IWholesaleResidual, WholesaleReport} from "../../interfaces/IWholesaleResidual.sol";
import {DayTerms} from "../../libraries/DayTerms.sol";
import {Groups} from "../../libraries/Groups.sol";
import {PositionLists} from "../../libraries/PositionLists.sol";
import {Quads} from "../../libraries/Quads.sol";
import {UniformPrice} from "../../libraries/UniformPrice.sol";
import {Calendar, CalendarParameters} from "../../types/Calendar.sol";
import {Orders} from "../../types/Orders.sol";
import {PriceScale} from "../../types/PriceScale.sol";
import {Ring} from "../../types/Ring.sol";
import {Strips} from "../../types/Strips.sol";
import {Tariffs} from "../../types/Tariffs.sol";
import {MAX_TICK, Price, SignedPrice} from "../../types/Units.sol";
import {Residual} from "./Residual.sol";

/// @title Residual to the wholesale market
/// @dev The orders are the auction's own, read from it; nothing is stored of them here. What an order has left is what the
/// auction did not fill of it, at the auction's margin too, where the same running sum is walked once more. Its collateral
/// covers the trade: a buyer pays price + margin, at most its limit, and fees; what a seller receives is at least its
/// limit. The auction releases it when it is booked, in the very settlement that books this market. The desk's side is covered
/// here: a report locks the most that it may cost the desk.
contract WholesaleResidual is IWholesaleResidual, AccessManaged, Calendar, PriceScale {
    bytes32 private constant REPORT_TYPEHASH = keccak256(
        "WholesaleReport(address desk,uint32 day,bytes32[] prices,bytes32[] imports,bytes32[] exports,bytes32 salt)"
    );
    /// Wh per period; the exchange and the meters of the area together fit a signed lane.
    uint256 private constant MAX_EXCHANGE = Strips.MAX_POSITION;
    /// What a reported price, and a member's price as a factor, is above the price itself.
    uint256 private constant PRICE_BIAS = 1 << 19;

    struct DayState {
        uint16 day;
        /// Strips to be cleared, and those in which anything is traded, one bit each.
        uint16 pending;
        uint16 trading;
        /// The member that reported.
        uint32 desk;
        /// Next member to be booked.
        uint32 nextId;
        /// Of the day's rules, units/Wh.
        uint24 margin;
        /// The desk's collateral, money units, until the day is booked.
        uint80 locked;
    }

    /// What the rules of a day allow a report, and what it costs, units/Wh.
    struct ReportTerms {
        int256 margin;
        int256 fees;
        int256 highestPrice;
        uint256 penaltyCap;
    }

    /// A clearing that did not fit one transaction: sums per lane so far, as Quads packs them, and where to go on.
    struct Progress {
        uint256[6] sums;
        uint32 layer;
        uint32 group;
    }

    /// Which orders of a strip have something left that trades: limits in the place of limits, flags in the top bits.
    struct StripTerms {
        /// Prices of the auction, and where it had one.
        uint256 prices;
        uint256 traded;
        /// Limits of the last to be served.
        uint256 importTicks;
        uint256 exportTicks;
        /// Where anything may be imported, and exported.
        uint256 imports;
        uint256 exports;
    }

    /// What the bids or asks of six periods have left, Wh: better than the last to be served, and those.
    struct Sums {
        uint256 importBetter;
        uint256 importAt;
        uint256 exportBetter;
        uint256 exportAt;
    }

    /// Per lane of a strip: the price of the wholesale market in units/Wh, and what may be exchanged, Wh.
    struct Offer {
        int256 price;
        uint256 imports;
        uint256 exports;
    }

    /// Of a strip with a trade, for the walk through the members; limits in the place of limits, flags in the top bits.
    struct StripWalk {
        /// Prices of the auction, and where it had one.
        uint256 prices;
        uint256 traded;
        /// Where something is imported, and exported, and the limits of the last to be served.
        uint256 imports;
        uint256 exports;
        uint256 ticks;
        /// Where the auction has left something of the orders at its price that may be served here.
        uint256 rest;
        /// Members' prices + PRICE_BIAS as factors of Strips.dot.
        uint256 even;
        uint256 odd;
    }

    /// What a walk through the members needs.
    struct Walk {
        /// Strips with a trade, one bit each.
        uint256 trading;
        StripWalk[] strips;
        /// By slot, packed: outcomes of the auction and of this market.
        uint256[] auction;
        uint256[] residual;
        /// By slot, Wh walked so far: orders at the auction's price, and orders at the margin here.
        uint256[] atPrice;
        uint256[] atMargin;
    }

    /// What one member trades: energy of the strip at work on in six signed lanes; Wh and money units of the day.
    struct Trades {
        uint256 net;
        uint256 energy;
        int256 payment;
    }

    uint256 private immutable DESK_LEAD;
    IParticipantRegistry private immutable REGISTRY;
    IMarketRules private immutable RULES;
    ISchedule private immutable SCHEDULE;
    ICallAuction private immutable AUCTION;
    IAccounts private immutable ACCOUNTS;
    IWholesaleDesk private immutable DESK;

    mapping(uint256 ringPlace => DayState) private _days;
    /// Words of the desk's report by strip.
    mapping(uint256 key => uint256) private _prices;
    mapping(uint256 key => uint256) private _imports;
    mapping(uint256 key => uint256) private _exports;
    mapping(bytes32 attempt => Progress) private _progress;
    /// As Residual packs them, by slot; only of strips with a trade.
    mapping(uint256 key => uint256) private _outcomes;
    /// The desk's energy by strip, six signed lanes with the day; only of strips with a trade.
    mapping(uint256 key => uint256) private _exchange;
    /// Running sums of the booking, two slots a word, 64 bits each: at the auction's price, at the margin here.
    mapping(uint256 key => uint256) private _walked;

    constructor(
        address authority,
        CalendarParameters memory calendar_,
        uint32 deskLead,
        IParticipantRegistry registry,
        IMarketRules rules,
        ISchedule schedule,
        ICallAuction auction,
        IAccounts accounts,
        IWholesaleDesk desk
    ) AccessManaged(authority) Calendar(calendar_) PriceScale(rules) {
        // What is nominated is known before delivery.
        if (deskLead > calendar_.gateLead) revert BadCalendar("deskLead", deskLead, calendar_.gateLead);
        DESK_LEAD = deskLead;
        REGISTRY = registry;
        RULES = rules;
        SCHEDULE = schedule;
        AUCTION = auction;
        ACCOUNTS = accounts;
        DESK = desk;
    }

    /// @inheritdoc IWholesaleResidual
    // The schedule only takes a note: it calls nobody.
    // slither-disable-next-line reentrancy-no-eth
    function report(WholesaleReport calldata r) external {
        uint32 day = r.day;
        if (block.timestamp < gateClosesAt(day)) {
            revert TooEarlyToReport(day, gateClosesAt(day), block.timestamp);
        }
        if (block.timestamp >= reportDueAt(day)) revert TooLateToReport(day, reportDueAt(day), block.timestamp);
        // Its capacity is what it reports.
        // slither-disable-next-line unused-return
        (uint32 id,,) = REGISTRY.requireTrader(r.desk, day);
        DayState storage state = _days[Ring.place(day)];
        if (state.day == day) revert AlreadyReported(day, state.desk);
        RULES.requireRoom(day);
        SCHEDULE.noteOrders(day);
        DESK.requireCommitted(day, id, _hashOf(r));

        ReportTerms memory terms = _termsOf(day);
        (uint256 pending, uint256 locked) = _storeReport(r, terms);
        uint256 margin = uint256(terms.margin);
        // Energies of 37 bits, prices of 22, a day of 96 periods: 80 bits hold what they cost.
        _days[Ring.place(day)] = DayState(uint16(day), uint16(pending), 0, id, 1, uint24(margin), uint80(locked));
        emit Reported(id, day, r.prices, r.imports, r.exports, r.salt, margin);
        ACCOUNTS.lockCollateral(id, int128(int256(locked)));
    }

    /// @inheritdoc IWholesaleResidual
    function clear(
        uint32 day,
        uint8 strip,
        uint16[6] calldata importTicks,
        uint16[6] calldata exportTicks,
        uint256 maxGroups
    ) external {
        if (strip >= STRIPS_PER_DAY) revert NoSuchResidualStrip(strip, STRIPS_PER_DAY);
        if (maxGroups == 0) revert NoGroupsGiven();
        DayState storage state = _days[Ring.place(day)];
        if (state.day != day) revert NotReported(day);
        if (state.pending & (1 << strip) == 0) revert NothingToClear(day, strip);
        if (AUCTION.clearedStrips(day) & (1 << strip) == 0) revert AuctionNotCleared(day, strip);

        uint256[] memory auction = AUCTION.outcomesIn(day, strip * Strips.LANES, Strips.LANES);
        Offer[] memory offers = _offersOf(day, strip);
        StripTerms memory terms = _hintedTerms(strip, auction, offers, state.margin, importTicks, exportTicks);
        // Attempts with other ticks do not get in each other's way; anyone may carry on a right one.
        bytes32 attempt = keccak256(abi.encode(day, strip, importTicks, exportTicks));
        Sums[] memory sums = new Sums[](Strips.LANES);
        if (!_addGroups(day, strip, attempt, terms, sums, maxGroups)) return;
        bool isTrading = false;
        uint256 exchange = Strips.ZERO_LANES;
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            Residual.Outcome memory o =
                _conclude(strip * Strips.LANES + k, k, auction[k], offers[k], state.margin, terms, sums[k]);
            _outcomes[Ring.dayKey(day, strip * Strips.LANES + k)] = Residual.pack(o);
            if (o.volume > 0) isTrading = true;
            // The desk sells what members import and buys what they export.
            uint256 energy = uint256(o.volume) << (k * Strips.LANE_BITS);
            exchange = o.direction == Residual.Direction.Import ? exchange - energy : exchange + energy;
            emit ResidualCleared(
                day, uint16(strip * Strips.LANES + k), o.direction, o.price, o.volume, o.tick, o.share, o.marginal
            );
        }
        state.pending &= ~uint16(1 << strip);
        if (!isTrading) return;
        state.trading |= uint16(1 << strip);
        _exchange[Ring.dayKey(day, strip)] = Strips.withDay(exchange, day);
    }

    /// @inheritdoc IMarket
    function book(uint256 day, uint32 firstId, uint256 count) external restricted returns (Positions memory p) {
        DayState storage state = _days[Ring.place(day)];
        if (state.day > day) revert DayIsOver(day);
        if (!isCleared(day)) revert ResidualNotCleared(day);
        // Nothing for anybody.
        if (state.day != day) return p;
        if (state.trading == 0) return _releaseOnly(state, firstId, count);
        if (firstId != 1 && firstId != state.nextId) revert BookedOutOfOrder(firstId, state.nextId);
        Walk memory walk = _loadWalk(day, state.trading, firstId == 1);
        p = PositionLists.empty(count);
        uint256[][] memory lines = AUCTION.linesOf(day, firstId, count);
        uint32 desk = state.desk;
        for (uint256 i = 0; i < count; ++i) {
            if (lines[i].length > 0) _bookMember(lines[i], i, p, walk);
            if (firstId + i != desk) continue;
            _bookDesk(day, i, p, walk);
            p.release[i] = _releaseDesk(state);
        }
        _storeWalked(day, walk);
        state.nextId = firstId + uint32(count);
    }

    /// @inheritdoc IMarket
    function isCleared(uint256 day) public view returns (bool) {
        if (!AUCTION.isCleared(day)) return false;
        DayState storage state = _days[Ring.place(day)];
        return state.day == day ? state.pending == 0 : block.timestamp >= reportDueAt(day);
    }

    /// @inheritdoc IExchange
    function exchangeOf(uint256 day) public view returns (uint32 desk, uint256[] memory net) {
        DayState storage state = _days[Ring.place(day)];
        uint256 trading = state.trading;
        if (state.day != day || state.pending != 0 || trading == 0) return (0, net);
        // What does not count was not nominated.
        if (SCHEDULE.isVoid(this, day)) return (0, net);
        net = new uint256[](STRIPS_PER_DAY);
        for (uint256 strip = 0; strip < net.length; ++strip) {
            bool isTrading = trading & (1 << strip) != 0;
            net[strip] = isTrading ? Strips.signedLanes(_exchange[Ring.dayKey(day, strip)], day) : Strips.ZERO_LANES;
        }
        return (state.desk, net);
    }

    /// @inheritdoc IExchange
    function penaltiesOf(uint256 day, int256[] calldata area, uint256 unknown)
        external
        view
        returns (uint32 desk, uint256 due, uint256[] memory rates)
    {
        (desk, rates) = exchangeOf(day);
        bool hasAny = false;
        for (uint256 strip = 0; strip < rates.length; ++strip) {
            uint256 exchanged = rates[strip];
            uint256 isExchanged = Strips.used(exchanged ^ Strips.ZERO_LANES);
            uint256 reported =
                Tariffs.buys(_prices[Ring.dayKey(day, strip)]) & Strips.spread(isExchanged, Strips.LANE_MASK);
            rates[strip] = 0;
            if (reported == 0) continue;
            hasAny = true;
            for (uint256 k = 0; k < Strips.LANES; ++k) {
                (uint256 owed, uint256 rate) = Residual.penaltyUp(
                    Strips.lane(reported, k), Strips.signedLane(exchanged, k), area[strip * Strips.LANES + k]
                );
                due += owed;
                rates[strip] |= rate << (k * Strips.LANE_BITS);
            }
            if (unknown & (1 << strip) != 0) rates[strip] = reported;
        }
        if (!hasAny) return (desk, 0, new uint256[](0));
    }

    /// @inheritdoc IWholesaleResidual
    function reportDueAt(uint256 day) public view returns (uint256) {
        return gateClosesAt(day) + DESK_LEAD;
    }

    /// @inheritdoc IWholesaleResidual
    function reportOf(uint256 day) external view returns (uint32 desk, uint256 pending) {
        DayState storage state = _days[Ring.place(day)];
        return state.day == day ? (state.desk, state.pending) : (0, 0);
    }

    // ---------------------------------------------------------------------------------------------- taking the report

    /// @return struct hash (EIP-712) of a report: what its desk has committed to.
    function _hashOf(WholesaleReport calldata r) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                REPORT_TYPEHASH,
                r.desk,
                r.day,
                keccak256(abi.encodePacked(r.prices)),
                keccak256(abi.encodePacked(r.imports)),
                keccak256(abi.encodePacked(r.exports)),
                r.salt
            )
        );
    }

    function _termsOf(uint256 day) private view returns (ReportTerms memory) {
        Rules memory rules = RULES.rulesOf(day);
        return ReportTerms({
            margin: int256(uint256(Price.unwrap(rules.wholesaleMargin))),
            fees: int256(DayTerms.fees(rules)),
            highestPrice: SignedPrice.unwrap(rules.maxBuy),
            penaltyCap: Price.unwrap(rules.penaltyCap)
        });
    }

    /// @return pending strips in which anything may be exchanged, one bit each.
    /// @return locked the most that the exchange may cost the desk, money units.
    function _storeReport(WholesaleReport calldata r, ReportTerms memory terms)
        private
        returns (uint256 pending, uint256 locked)
    {
        _requireLength(r.prices.length);
        _requireLength(r.imports.length);
        _requireLength(r.exports.length);
        for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
            uint256 prices = _laneWord(r.prices[strip], r.day, strip);
            uint256 imports = _laneWord(r.imports[strip], r.day, strip);
            uint256 exports = _laneWord(r.exports[strip], r.day, strip);
            for (uint256 k = 0; k < Strips.LANES; ++k) {
                uint256 slot = strip * Strips.LANES + k;
                uint256 rate = Strips.lane(Tariffs.buys(prices), k);
                if (rate > terms.penaltyCap) revert PenaltyAboveCap(slot, rate, terms.penaltyCap);
                _requireExchange(slot, Strips.lane(imports, k));
                _requireExchange(slot, Strips.lane(exports, k));
                locked += _collateral(slot, _offerIn(prices, imports, exports, k), terms);
            }
            if (imports | exports == 0) continue;
            pending |= 1 << strip;
            uint256 key = Ring.dayKey(r.day, strip);
            _prices[key] = prices;
            _imports[key] = imports;
            _exports[key] = exports;
        }
    }

    /// @return units the most that one period may cost the desk: it pays for exports and, below a price of zero, for imports,
    /// and the fees of either. Only one direction trades.
    function _collateral(uint256 slot, Offer memory o, ReportTerms memory terms) private view returns (uint256 units) {
        if (o.imports | o.exports == 0) return 0;
        int256 highest = terms.highestPrice;
        if (o.price > highest || o.price < -highest) revert PriceOutOfBounds(slot, o.price, highest);
        int256 paid = terms.fees - o.price - terms.margin;
        if (paid > 0) units = o.imports * uint256(paid);
        if (o.price - terms.margin < LOWEST_PRICE) return units;
        paid = terms.fees + o.price - terms.margin;
        if (paid > 0 && o.exports * uint256(paid) > units) units = o.exports * uint256(paid);
    }

    function _requireLength(uint256 given) private view {
        if (given != STRIPS_PER_DAY) revert WrongReportLength(given, STRIPS_PER_DAY);
    }

    function _requireExchange(uint256 slot, uint256 energy) private pure {
        if (energy > MAX_EXCHANGE) revert ExchangeTooLarge(slot, energy, MAX_EXCHANGE);
    }

    /// @return the six lanes of a word of the right day.
    function _laneWord(bytes32 word, uint256 day, uint256 strip) private pure returns (uint256) {
        if (Strips.dayOf(uint256(word)) != day) revert WrongReportDay(strip, Strips.dayOf(uint256(word)), day);
        return uint256(word) & Strips.LANES_MASK;
    }

    // ------------------------------------------------------------------------------------------------------ clearing

    function _offersOf(uint256 day, uint256 strip) private view returns (Offer[] memory offers) {
        uint256 key = Ring.dayKey(day, strip);
        (uint256 prices, uint256 imports, uint256 exports) = (_prices[key], _imports[key], _exports[key]);
        offers = new Offer[](Strips.LANES);
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            offers[k] = _offerIn(prices, imports, exports, k);
        }
    }

    function _offerIn(uint256 prices, uint256 imports, uint256 exports, uint256 k) private pure returns (Offer memory) {
        int256 price = int256(Strips.lane(Tariffs.sells(prices), k)) - int256(PRICE_BIAS);
        return Offer(price, Strips.lane(imports, k), Strips.lane(exports, k));
    }

    /// @return terms with the ticks that the caller says are those of the last to be served.
    function _hintedTerms(
        uint256 strip,
        uint256[] memory auction,
        Offer[] memory offers,
        uint256 margin,
        uint16[6] calldata importTicks,
        uint16[6] calldata exportTicks
    ) private view returns (StripTerms memory terms) {
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            uint256 shift = k * Strips.LANE_BITS;
            (uint256 bidTick, uint256 askTick) = (importTicks[k], exportTicks[k]);
            if (bidTick > MAX_TICK || askTick > MAX_TICK) {
                revert WrongTicks(strip * Strips.LANES + k, bidTick, askTick);
            }
            terms.importTicks |= bidTick << (shift + Orders.TICK_SHIFT);
            terms.exportTicks |= askTick << (shift + Orders.TICK_SHIFT);
            if (_mayImport(offers[k], margin)) terms.imports |= Strips.FLAG << shift;
            if (_mayExport(offers[k], margin)) terms.exports |= Strips.FLAG << shift;
            if (auction[k] == 0) continue;
            terms.prices |= UniformPrice.priceOf(auction[k]) << (shift + Orders.TICK_SHIFT);
            terms.traded |= Strips.FLAG << shift;
        }
    }

    function _mayImport(Offer memory o, uint256 margin) private view returns (bool) {
        return o.imports > 0 && _importTick(o.price + int256(margin)) <= MAX_TICK;
    }

    function _mayExport(Offer memory o, uint256 margin) private view returns (bool) {
        return o.exports > 0 && o.price - int256(margin) >= LOWEST_PRICE;
    }

    function _importTick(int256 price) private view returns (uint256) {
        return Residual.importTickUp(price - LOWEST_PRICE, UNITS_PER_TICK);
    }

    function _exportTick(int256 price) private view returns (uint256) {
        return Residual.exportTickDown(price - LOWEST_PRICE, UNITS_PER_TICK);
    }

    /// Adds up what the strip's orders have left, from where the attempt stands.
    /// @return isDone whether all groups are added; if not, the attempt is kept.
    function _addGroups(
        uint32 day,
        uint8 strip,
        bytes32 attempt,
        StripTerms memory terms,
        Sums[] memory sums,
        uint256 maxGroups
    ) private returns (bool isDone) {
        // Layers are asked for by group.
        // slither-disable-next-line unused-return
        (, uint256 highestId) = AUCTION.bookOf(day);
        Progress storage progress = _progress[attempt];
        (uint256 layer, uint256 group) = (progress.layer, progress.group);
        bool isResumed = layer != 0 || group != 0;
        if (isResumed) _resume(progress, sums);
        uint256 groups = Groups.numberOf(highestId) + 1;
        for (uint256 n = 0; group < groups && n < maxGroups; ++n) {
            (uint256 own, uint256 brokered) = AUCTION.layersIn(day, group);
            if (layer < own + brokered) {
                uint256 at = layer < own ? layer : Orders.BROKERED_LAYER + layer - own;
                _addWords(AUCTION.linesIn(day, at * STRIPS_PER_DAY + strip, group), terms, sums);
                ++layer;
            }
            if (layer >= own + brokered) (group, layer) = (group + 1, 0);
        }
        if (group < groups) {
            _suspend(progress, sums, layer, group);
            emit ResidualProgress(day, strip, group, layer);
            return false;
        }
        if (isResumed) delete _progress[attempt];
        return true;
    }

    function _addWords(uint256[] memory words, StripTerms memory terms, Sums[] memory sums) private pure {
        // Memory begins as zeros.
        // slither-disable-next-line uninitialized-local
        Sums memory t;
        // An energy has 27 bits, a group 240 members: no lane overflows.
        unchecked {
            for (uint256 i = 0; i < words.length; ++i) {
                uint256 word = words[i];
                (uint256 better, uint256 at) = _leftOf(word, terms);
                t.importBetter += Orders.energies(word, better & ~word);
                t.importAt += Orders.energies(word, at & ~word);
                t.exportBetter += Orders.energies(word, better & word);
                t.exportAt += Orders.energies(word, at & word);
            }
        }
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            Sums memory s = sums[k];
            s.importBetter += Strips.lane(t.importBetter, k);
            s.importAt += Strips.lane(t.importAt, k);
            s.exportBetter += Strips.lane(t.exportBetter, k);
            s.exportAt += Strips.lane(t.exportAt, k);
        }
    }

    /// Of the orders that the auction has not touched: bids below its price, asks above it, and all where it had none.
    /// @return better flags of those that are served before the last.
    /// @return at of those that are the last to be served.
    function _leftOf(uint256 word, StripTerms memory terms) private pure returns (uint256 better, uint256 at) {
        // slither-disable-next-line unused-return
        (uint256 above,, uint256 below) = Orders.compare(word, terms.prices);
        uint256 bids = ~word & terms.imports & (below | ~terms.traded);
        uint256 asks = word & terms.exports & (above | ~terms.traded);
        if (bids != 0) {
            // slither-disable-next-line unused-return
            (uint256 dearer, uint256 same,) = Orders.compare(word, terms.importTicks);
            better = dearer & bids;
            at = same & bids;
        }
        if (asks != 0) {
            // slither-disable-next-line unused-return
            (, uint256 same, uint256 cheaper) = Orders.compare(word, terms.exportTicks);
            better |= cheaper & asks;
            at |= same & asks;
        }
    }

    /// Verifies the ticks of one slot.
    function _conclude(
        uint256 slot,
        uint256 k,
        uint256 auction,
        Offer memory offer,
        uint256 margin,
        StripTerms memory terms,
        Sums memory sums
    ) private view returns (Residual.Outcome memory o) {
        uint256 shift = k * Strips.LANE_BITS + Orders.TICK_SHIFT;
        uint256 bidTick = (terms.importTicks >> shift) & Orders.TICK_MASK;
        uint256 askTick = (terms.exportTicks >> shift) & Orders.TICK_MASK;
        _addRest(auction, bidTick, askTick, sums);
        if (_mayImport(offer, margin)) {
            int256 price = offer.price + int256(margin);
            uint256 last = _importTick(price);
            bool isRight = bidTick >= last
                && Residual.isMarginal(bidTick == last, sums.importBetter, sums.importAt, offer.imports);
            if (!isRight) revert WrongTicks(slot, bidTick, askTick);
            uint256 share = Residual.leftFor(sums.importBetter, sums.importAt, offer.imports);
            o = _outcome(Residual.Direction.Import, bidTick, price, sums.importBetter, sums.importAt, share);
        }
        if (_mayExport(offer, margin)) {
            int256 price = offer.price - int256(margin);
            uint256 last = _exportTick(price);
            bool isRight = askTick <= last
                && Residual.isMarginal(askTick == last, sums.exportBetter, sums.exportAt, offer.exports);
            if (!isRight) revert WrongTicks(slot, bidTick, askTick);
            uint256 share = Residual.leftFor(sums.exportBetter, sums.exportAt, offer.exports);
            // Where something is imported nothing can be exported, see Residual.
            if (o.volume == 0) {
                o = _outcome(Residual.Direction.Export, askTick, price, sums.exportBetter, sums.exportAt, share);
            }
        }
    }

    /// Adds what the auction has left of the orders at its price: of one side at most.
    function _addRest(uint256 auction, uint256 bidTick, uint256 askTick, Sums memory sums) private pure {
        UniformPrice.Outcome memory o = UniformPrice.unpack(auction);
        uint256 rest = o.marginal - o.share;
        if (o.rationed == UniformPrice.Rationed.Bids) {
            if (bidTick < o.price) sums.importBetter += rest;
            else if (bidTick == o.price) sums.importAt += rest;
        } else if (o.rationed == UniformPrice.Rationed.Asks) {
            if (askTick > o.price) sums.exportBetter += rest;
            else if (askTick == o.price) sums.exportAt += rest;
        }
    }

    function _outcome(
        Residual.Direction direction,
        uint256 tick,
        int256 price,
        uint256 better,
        uint256 at,
        uint256 share
    ) private pure returns (Residual.Outcome memory o) {
        if (better + share == 0) return o;
        // Volumes stay within the capacity, prices within 22 bits; sums of a period's orders within 64.
        return Residual.Outcome({
            direction: direction,
            tick: uint16(tick),
            price: int24(price),
            volume: uint64(better + share),
            share: uint64(share),
            marginal: uint64(at)
        });
    }

    function _resume(Progress storage progress, Sums[] memory sums) private view {
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            uint256 word = progress.sums[k];
            sums[k] = Sums(Quads.at(word, 0), Quads.at(word, 1), Quads.at(word, 2), Quads.at(word, 3));
        }
    }

    function _suspend(Progress storage progress, Sums[] memory sums, uint256 layer, uint256 group) private {
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            Sums memory s = sums[k];
            progress.sums[k] = Quads.pack(s.importBetter, s.importAt, s.exportBetter, s.exportAt);
        }
        progress.layer = uint32(layer);
        progress.group = uint32(group);
    }

    // ------------------------------------------------------------------------------------------------------- booking

    function _bookMember(uint256[] memory lines, uint256 i, Positions memory p, Walk memory walk) private view {
        Trades memory trades = Trades(0, 0, 0);
        uint256[] memory net = new uint256[](STRIPS_PER_DAY);
        uint256 trading = walk.trading;
        unchecked {
            for (uint256 strip = 0; strip < net.length; ++strip) {
                trades.net = Strips.ZERO_LANES;
                if (trading & 1 != 0) {
                    for (uint256 line = strip; line < lines.length; line += net.length) {
                        _bookWord(lines[line], strip, trades, walk);
                    }
                }
                trading >>= 1;
                net[strip] = trades.net;
            }
        }
        if (trades.energy == 0) return;
        p.net[i] = net;
        p.payment[i] = trades.payment;
        p.traded[i] = trades.energy;
    }

    /// Adds what the six orders of a word trade.
    function _bookWord(uint256 word, uint256 strip, Trades memory trades, Walk memory walk) private pure {
        StripWalk memory s = walk.strips[strip];
        (uint256 better, uint256 at, uint256 rest) = _servedOf(word, s);
        uint256 filled = Orders.energies(word, better);
        if (at | rest != 0) filled |= _shares(word, at, rest, strip * Strips.LANES, walk);
        if (filled == 0) return;
        uint256 asks = filled & Strips.spread(word, Strips.LANE_MASK);
        uint256 bids = filled ^ asks;
        // Lanes that are net sold borrow from the next until the bias is added. Six products of 27 and 21 bits.
        unchecked {
            trades.net += bids - asks;
            trades.energy += Strips.sum(filled);
            if (bids != 0) trades.payment += _payment(bids, s);
            if (asks != 0) trades.payment -= _payment(asks, s);
        }
    }

    /// Which orders of a word are served: as `_leftOf`, in one direction a lane.
    /// @return better flags of those that are served before the last.
    /// @return at of those that are the last to be served.
    /// @return rest of those that the auction filled in part at its price and that are served here.
    function _servedOf(uint256 word, StripWalk memory s)
        private
        pure
        returns (uint256 better, uint256 at, uint256 rest)
    {
        (uint256 abovePrice, uint256 atPrice, uint256 belowPrice) = Orders.compare(word, s.prices);
        (uint256 above, uint256 same, uint256 below) = Orders.compare(word, s.ticks);
        uint256 bids = ~word & s.imports;
        uint256 asks = word & s.exports;
        rest = s.rest & atPrice & ((bids & ~below) | (asks & ~above));
        bids &= belowPrice | ~s.traded;
        asks &= abovePrice | ~s.traded;
        better = (bids & above) | (asks & below);
        at = same & (bids | asks);
    }

    function _payment(uint256 energies, StripWalk memory s) private pure returns (int256) {
        unchecked {
            return int256(Strips.dot(energies, s.even, s.odd)) - int256(Strips.sum(energies) * PRICE_BIAS);
        }
    }

    /// @param at flags of the orders at the margin that the auction has not touched.
    /// @param rest flags of the orders that it filled in part.
    /// @return energies what they trade, in their lanes.
    function _shares(uint256 word, uint256 at, uint256 rest, uint256 slot, Walk memory walk)
        private
        pure
        returns (uint256 energies)
    {
        unchecked {
            at >>= Strips.LANE_BITS - 1;
            rest >>= Strips.LANE_BITS - 1;
            for (uint256 shift = 0; at | rest != 0; shift += Strips.LANE_BITS) {
                uint256 energy = Orders.energy(word >> shift);
                if (rest & 1 != 0) {
                    energies |= _shareOfRest(energy, slot, walk) << shift;
                } else if (at & 1 != 0 && energy > 0) {
                    // A lane without an order looks like a bid of nothing at tick 0.
                    uint256 before = walk.atMargin[slot];
                    walk.atMargin[slot] = before + energy;
                    energies |= Residual.fillDown(walk.residual[slot], before, energy) << shift;
                }
                at >>= Strips.LANE_BITS;
                rest >>= Strips.LANE_BITS;
                ++slot;
            }
        }
    }

    /// @return left what an order at the auction's price trades of what the auction has left of it, Wh.
    function _shareOfRest(uint256 energy, uint256 slot, Walk memory walk) private pure returns (uint256 left) {
        unchecked {
            uint256 auction = walk.auction[slot];
            uint256 residual = walk.residual[slot];
            uint256 before = walk.atPrice[slot];
            walk.atPrice[slot] = before + energy;
            left = energy - UniformPrice.fillDown(auction, before, energy);
            if (UniformPrice.priceOf(auction) != Residual.tickOf(residual)) return left;
            // At the margin here as well. Fills telescope, so the rests of the orders before do.
            uint256 filled = (before * UniformPrice.shareOf(auction)) / UniformPrice.marginalOf(auction);
            return Residual.fillDown(residual, before - filled, left);
        }
    }

    /// Of a day on which nothing is traded: the desk has its collateral back.
    function _releaseOnly(DayState storage state, uint32 firstId, uint256 count) private returns (Positions memory p) {
        uint32 desk = state.desk;
        if (state.locked == 0 || desk < firstId || desk - firstId >= count) return p;
        p = PositionLists.empty(count);
        p.release[desk - firstId] = _releaseDesk(state);
    }

    /// @return locked what is released the first time that the desk is booked.
    function _releaseDesk(DayState storage state) private returns (uint256 locked) {
        locked = state.locked;
        if (locked > 0) state.locked = 0;
    }

    /// The desk is everybody's counterparty.
    function _bookDesk(uint256 day, uint256 i, Positions memory p, Walk memory walk) private view {
        bool isMember = p.net[i].length > 0;
        if (!isMember) p.net[i] = new uint256[](STRIPS_PER_DAY);
        for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
            uint256 own = isMember ? p.net[i][strip] : Strips.ZERO_LANES;
            bool isTrading = walk.trading & (1 << strip) != 0;
            p.net[i][strip] =
                isTrading ? Strips.addSigned(own, Strips.signedLanes(_exchange[Ring.dayKey(day, strip)], day)) : own;
        }
        for (uint256 slot = 0; slot < PERIODS_PER_DAY; ++slot) {
            Residual.Outcome memory o = Residual.unpack(walk.residual[slot]);
            int256 units = int256(uint256(o.volume)) * o.price;
            p.payment[i] += o.direction == Residual.Direction.Import ? -units : units;
            p.traded[i] += o.volume;
        }
    }

    function _loadWalk(uint256 day, uint256 trading, bool isFresh) private view returns (Walk memory walk) {
        walk.trading = trading;
        walk.auction = AUCTION.outcomesIn(day, 0, PERIODS_PER_DAY);
        walk.strips = new StripWalk[](STRIPS_PER_DAY);
        walk.residual = new uint256[](PERIODS_PER_DAY);
        walk.atPrice = new uint256[](PERIODS_PER_DAY);
        walk.atMargin = new uint256[](PERIODS_PER_DAY);
        for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
            if (trading & (1 << strip) != 0) _loadStrip(day, strip, isFresh, walk);
        }
    }

    function _loadStrip(uint256 day, uint256 strip, bool isFresh, Walk memory walk) private view {
        StripWalk memory s = walk.strips[strip];
        uint256 prices = 0;
        uint256 walked = 0;
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            uint256 slot = strip * Strips.LANES + k;
            if (!isFresh) {
                if (k % 2 == 0) walked = _walked[Ring.dayKey(day, slot / 2)];
                uint256 n = 2 * (k % 2);
                (walk.atPrice[slot], walk.atMargin[slot]) = (Quads.at(walked, n), Quads.at(walked, n + 1));
            }
            uint256 outcome = _outcomes[Ring.dayKey(day, slot)];
            if (outcome == 0) continue;
            walk.residual[slot] = outcome;
            prices |= _loadSlot(s, walk.auction[slot], outcome, k * Strips.LANE_BITS) << (k * Strips.LANE_BITS);
        }
        (s.even, s.odd) = Strips.factors(prices);
    }

    /// @return price + PRICE_BIAS of the members who trade in this slot, units/Wh.
    function _loadSlot(StripWalk memory s, uint256 auction, uint256 residual, uint256 shift)
        private
        pure
        returns (uint256 price)
    {
        Residual.Outcome memory o = Residual.unpack(residual);
        uint256 flag = Strips.FLAG << shift;
        bool isImport = o.direction == Residual.Direction.Import;
        if (isImport) s.imports |= flag;
        else s.exports |= flag;
        s.ticks |= uint256(o.tick) << (shift + Orders.TICK_SHIFT);
        if (auction != 0) {
            s.prices |= UniformPrice.priceOf(auction) << (shift + Orders.TICK_SHIFT);
            s.traded |= flag;
            // Members import with bids and export with asks.
            if (UniformPrice.isRationed(auction, !isImport)) s.rest |= flag;
        }
        return uint256(int256(o.price) + int256(PRICE_BIAS));
    }

    function _storeWalked(uint256 day, Walk memory walk) private {
        for (uint256 slot = 0; slot < PERIODS_PER_DAY; slot += 2) {
            if (walk.trading & (1 << (slot / Strips.LANES)) == 0) continue;
            // Sums of a period's orders stay within 64 bits, as in the auction.
            _walked[Ring.dayKey(day, slot / 2)] =
                Quads.pack(walk.atPrice[slot], walk.atMargin[slot], walk.atPrice[slot + 1], walk.atMargin[slot + 1]);
        }
    }
}
