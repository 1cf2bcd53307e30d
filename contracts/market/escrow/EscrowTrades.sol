// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {IAccounts, Posting} from "../../interfaces/IAccounts.sol";
import {EscrowState, EscrowTerms, EscrowTrade, IEscrowTrades} from "../../interfaces/IEscrowTrades.sol";
import {IMarket, Positions} from "../../interfaces/IMarket.sol";
import {IMarketRules, Rules} from "../../interfaces/IMarketRules.sol";
import {IMeterReadings} from "../../interfaces/IMeterReadings.sol";
import {IParticipantRegistry} from "../../interfaces/IParticipantRegistry.sol";
import {ISchedule} from "../../interfaces/ISchedule.sol";
import {DayTerms} from "../../libraries/DayTerms.sol";
import {PositionLists} from "../../libraries/PositionLists.sol";
import {Calendar, CalendarParameters} from "../../types/Calendar.sol";
import {Orders} from "../../types/Orders.sol";
import {SigningDomain} from "../../types/SigningDomain.sol";
import {Strips} from "../../types/Strips.sol";
import {Energy, Price, SignedPrice} from "../../types/Units.sol";
import {DeliveryDays} from "../bilateral/DeliveryDays.sol";

/// @title Escrowed trades
/// @dev What a seller delivers is known when its day is settled, so the schedule is told of that and no more, and it is kept for the day
/// on which nobody has released the escrow. The money is paid by postings of its own: signatures do not wait for a settlement.
contract EscrowTrades is IEscrowTrades, AccessManaged, SigningDomain, Calendar, Multicall {
    using SafeCast for int256;
    using SafeCast for uint256;

    bytes32 private constant TRADE_TYPEHASH = keccak256(
        "EscrowTrade(address buyer,address seller,address buyerKey,address sellerKey,address mediator,uint32 day,uint96 slots,uint64 energy,uint32 price,uint64 expiry,bytes32 salt)"
    );
    bytes32 private constant RELEASE_TYPEHASH =
        keccak256("EscrowRelease(uint32 number,uint128 toSeller,uint128 toBuyer)");
    bytes32 private constant REVOCATION_TYPEHASH = keccak256("Revocation(bytes32 message)");

    /// Trades of a member on a day, so that its day is settled in one transaction beside all other markets.
    uint256 private constant MAX_TRADES = 8;
    uint256 private constant STRIP_MASK = (1 << Strips.LANES) - 1;

    /// A trade as it is stored; the terms are those of EscrowTerms.
    struct Record {
        EscrowState state;
        uint32 buyer;
        uint32 seller;
        uint16 day;
        uint32 energy;
        uint32 price;
        uint64 delivered;
        uint96 slots;
        address mediator;
        address buyerKey;
        address sellerKey;
    }

    IParticipantRegistry private immutable REGISTRY;
    IMarketRules private immutable RULES;
    IAccounts private immutable ACCOUNTS;
    ISchedule private immutable SCHEDULE;
    IMeterReadings private immutable READINGS;

    mapping(uint256 number => Record) private _records;
    // Slither does not see what is written by a reference.
    // slither-disable-next-line uninitialized-state
    mapping(uint32 id => mapping(uint256 day => uint32[])) private _tradesOf;
    /// What is locked for a member's trades of a day besides the escrows, until the day is booked; money units.
    mapping(uint32 id => mapping(uint256 day => uint256)) private _covers;
    /// @inheritdoc IEscrowTrades
    mapping(bytes32 message => mapping(address account => bool)) public isUsed;
    /// @inheritdoc IEscrowTrades
    uint32 public tradeCount;

    constructor(
        address authority,
        CalendarParameters memory calendar_,
        IParticipantRegistry registry,
        IMarketRules rules,
        IAccounts accounts,
        ISchedule schedule,
        IMeterReadings readings
    ) AccessManaged(authority) Calendar(calendar_) {
        REGISTRY = registry;
        RULES = rules;
        ACCOUNTS = accounts;
        SCHEDULE = schedule;
        READINGS = readings;
    }

    /// @inheritdoc IEscrowTrades
    function fund(EscrowTrade calldata t, bytes calldata buyerSignature, bytes calldata sellerSignature)
        external
        returns (uint32 number)
    {
        if (t.buyer == t.seller) revert TradeWithItself(t.buyer);
        bytes32 message = keccak256(abi.encode(TRADE_TYPEHASH, t));
        _requireSigned(t.buyer, message, buyerSignature);
        _requireSigned(t.seller, message, sellerSignature);
        _useUp(message, t.buyer);
        _useUp(message, t.seller);
        if (block.timestamp >= t.expiry) revert TradeExpired(t.expiry, block.timestamp);
        _requireTime(t.day);
        Rules memory rules = RULES.rulesOf(t.day);
        Record memory r = _recordOf(t, rules);
        number = ++tradeCount;
        _records[number] = r;
        _append(r.buyer, r.day, number);
        _append(r.seller, r.day, number);
        SCHEDULE.noteOrders(r.day);
        _lock(number, message, r, rules);
    }

    /// @inheritdoc IEscrowTrades
    function revoke(bytes32 message, address account, bytes calldata signature) external {
        _requireSigned(account, keccak256(abi.encode(REVOCATION_TYPEHASH, message)), signature);
        _useUp(message, account);
        emit Revoked(message, account);
    }

    /// @inheritdoc IEscrowTrades
    function release(uint32 number, uint128 toSeller, uint128 toBuyer, bytes calldata first, bytes calldata second)
        external
    {
        Record memory r = _funded(number);
        uint256 closesAt = correctionsCloseAt(r.day);
        if (block.timestamp >= closesAt) revert TooLateToRelease(number, closesAt, block.timestamp);
        uint256 escrow = _escrowOf(r);
        if (uint256(toSeller) + toBuyer != escrow) revert NotTheEscrow(number, toSeller, toBuyer, escrow);
        bytes32 signed = _hashTypedDataV4(keccak256(abi.encode(RELEASE_TYPEHASH, number, toSeller, toBuyer)));
        address one = _keyOf(number, r, signed, first);
        address other = _keyOf(number, r, signed, second);
        if (one == other) revert SignedByOne(number, one);
        _records[number].state = toBuyer == 0 ? EscrowState.Released : EscrowState.Split;
        emit Released(number, toSeller, toBuyer, one, other);
        _pay(r, toSeller, escrow);
    }

    /// @inheritdoc IEscrowTrades
    function expire(uint32 number) external {
        Record memory r = _funded(number);
        uint256 lastFinal = RULES.lastFinalDay();
        if (r.day > lastFinal) revert DayNotFinal(number, r.day, lastFinal);
        // What does not count is no energy of the buyer's.
        uint256 delivered = SCHEDULE.isVoid(this, r.day) ? 0 : r.delivered;
        uint256 toSeller = delivered * r.price;
        uint256 escrow = _escrowOf(r);
        _records[number].state = EscrowState.Expired;
        emit ReleasedByReadings(number, delivered, toSeller, escrow - toSeller);
        _pay(r, toSeller, escrow);
    }

    /// @inheritdoc IMarket
    function book(uint256 day, uint32 firstId, uint256 count) external restricted returns (Positions memory p) {
        if (!isCleared(day)) revert NotCleared(day);
        p = PositionLists.empty(count);
        for (uint256 i = 0; i < count; ++i) {
            _bookMember(day, firstId + uint32(i), i, p);
        }
    }

    /// @inheritdoc IMarket
    function isCleared(uint256 day) public view returns (bool) {
        return day > 0 && day <= Strips.MAX_DAY && block.timestamp >= gateClosesAt(day);
    }

    /// @inheritdoc IEscrowTrades
    function tradeOf(uint32 number)
        external
        view
        returns (EscrowState, uint32, uint32, uint32, EscrowTerms memory, uint64)
    {
        Record memory r = _known(number);
        return (r.state, r.buyer, r.seller, r.day, _termsOf(r), r.delivered);
    }

    /// @inheritdoc IEscrowTrades
    function tradesOf(uint32 id, uint256 day) external view returns (uint32[] memory) {
        return _tradesOf[id][day];
    }

    // ---------------------------------------------------------------------------------------------------------- funding

    function _requireSigned(address account, bytes32 message, bytes calldata signature) private view {
        address signer = ECDSA.recover(_hashTypedDataV4(message), signature);
        if (signer != account) revert NotSignedBy(account, signer);
    }

    function _useUp(bytes32 message, address account) private {
        if (isUsed[message][account]) revert TradeUsed(message, account);
        isUsed[message][account] = true;
    }

    /// The rules of the day do not change any more, and what is delivered is not known yet.
    function _requireTime(uint256 day) private view {
        uint256 opens = opensAt(day);
        if (block.timestamp < opens) revert DayNotOpen(day, opens, block.timestamp);
        uint256 closesAt = gateClosesAt(day);
        if (block.timestamp >= closesAt) revert GateClosed(day, closesAt, block.timestamp);
    }

    function _recordOf(EscrowTrade calldata t, Rules memory rules) private view returns (Record memory r) {
        bool isZero = t.buyerKey == address(0) || t.sellerKey == address(0) || t.mediator == address(0);
        if (isZero || t.buyerKey == t.sellerKey || t.buyerKey == t.mediator || t.sellerKey == t.mediator) {
            revert KeysNotDistinct(t.buyerKey, t.sellerKey, t.mediator);
        }
        uint256 allSlots = (1 << PERIODS_PER_DAY) - 1;
        if (t.slots == 0 || t.slots > allSlots) revert BadTerm("slots", t.slots, allSlots);
        uint256 energy = Energy.unwrap(t.energy);
        uint256 least = Energy.unwrap(rules.minOrderEnergy);
        if (energy < least) revert BadTerm("energy", energy, least);
        if (energy > Orders.ENERGY_MASK) revert BadTerm("energy", energy, Orders.ENERGY_MASK);
        uint256 price = Price.unwrap(t.price);
        // Nobody has to pay more for its energy, so the connection bounds the money as well.
        uint256 highest = uint256(int256(SignedPrice.unwrap(rules.maxBuy)));
        if (price == 0) revert BadTerm("price", 0, 1);
        if (price > highest) revert BadTerm("price", price, highest);
        r = Record({
            state: EscrowState.Funded,
            buyer: _traderOf(t.buyer, t.day, energy, true),
            seller: _traderOf(t.seller, t.day, energy, false),
            day: uint16(t.day),
            energy: uint32(energy),
            price: uint32(price),
            delivered: 0,
            slots: t.slots,
            mediator: t.mediator,
            buyerKey: t.buyerKey,
            sellerKey: t.sellerKey
        });
    }

    /// @return id number of an admitted member with a connection that carries the energy.
    function _traderOf(address account, uint256 day, uint256 energy, bool isBuyer) private view returns (uint32 id) {
        uint256 imports;
        uint256 exports;
        (id, imports, exports) = REGISTRY.requireTrader(account, day);
        uint256 capacity = isBuyer ? imports : exports;
        if (energy > capacity) revert ExceedsCapacity(id, energy, capacity);
    }

    function _append(uint32 id, uint256 day, uint32 number) private {
        uint32[] storage numbers = _tradesOf[id][day];
        if (numbers.length == MAX_TRADES) revert TooManyTrades(id, day, MAX_TRADES);
        numbers.push(number);
    }

    /// Locks the escrow, and what the settlement of the day may charge either side: the buyer fees and what the supplier wants for
    /// energy that it does not take, the seller fees. It never has to replace anything.
    function _lock(uint32 number, bytes32 message, Record memory r, Rules memory rules) private {
        uint256 energy = _energyOf(r);
        uint256 escrow = _escrowOf(r);
        uint256 buyers = energy * DayTerms.extra(rules);
        uint256 sellers = energy * DayTerms.fees(rules);
        _covers[r.buyer][r.day] += buyers;
        _covers[r.seller][r.day] += sellers;
        emit Funded(number, r.buyer, r.seller, r.day, message, _termsOf(r), escrow + buyers, sellers);
        ACCOUNTS.lockCollateral(r.buyer, (escrow + buyers).toInt256().toInt128());
        // A side that locks nothing still has to be free of arrears.
        ACCOUNTS.lockCollateral(r.seller, sellers.toInt256().toInt128());
    }

    // --------------------------------------------------------------------------------------------------------- releasing

    /// @return signer one of the trade's three keys.
    function _keyOf(uint32 number, Record memory r, bytes32 signed, bytes calldata signature)
        private
        pure
        returns (address signer)
    {
        signer = ECDSA.recover(signed, signature);
        if (signer != r.buyerKey && signer != r.sellerKey && signer != r.mediator) revert NotAKeyOf(number, signer);
    }

    /// Releases the escrow with the payment that it is for: that comes before whatever else the buyer owes.
    function _pay(Record memory r, uint256 toSeller, uint256 escrow) private {
        uint256[] memory amounts = new uint256[](1);
        amounts[0] = escrow;
        ACCOUNTS.prepareRelease(address(this), r.buyer, amounts);
        int128 paid = toSeller.toInt256().toInt128();
        Posting[] memory postings = new Posting[](2);
        postings[0] = Posting(r.buyer, -paid, escrow.toUint128());
        postings[1] = Posting(r.seller, paid, 0);
        ACCOUNTS.post(postings);
    }

    // ----------------------------------------------------------------------------------------------------------- booking

    function _bookMember(uint256 day, uint32 id, uint256 i, Positions memory p) private {
        uint32[] memory numbers = _tradesOf[id][day];
        if (numbers.length == 0) return;
        uint256 cover = _covers[id][day];
        if (cover > 0) {
            p.release[i] = cover;
            _covers[id][day] = 0;
        }
        uint256[] memory net = new uint256[](STRIPS_PER_DAY);
        for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
            net[strip] = Strips.ZERO_LANES;
        }
        for (uint256 n = 0; n < numbers.length; ++n) {
            Record memory r = _records[numbers[n]];
            bool isBuyer = id == r.buyer;
            uint256 delivered = _deliver(r, net, isBuyer);
            p.traded[i] += delivered;
            if (!isBuyer && delivered != r.delivered) _records[numbers[n]].delivered = uint64(delivered);
        }
        p.net[i] = net;
    }

    /// Adds to a side's net position what the seller's meter shows of the trade. Several trades of a seller each count what it feeds in:
    /// what it has promised twice is imbalance.
    /// @return delivered Wh.
    function _deliver(Record memory r, uint256[] memory net, bool isBuyer) private view returns (uint256 delivered) {
        uint256[] memory metered = READINGS.netOf(r.day, r.seller, 1)[0];
        // Eight trades of 27 bits stay within a signed lane.
        unchecked {
            for (uint256 strip = 0; strip < metered.length; ++strip) {
                uint256 bits = (r.slots >> (strip * Strips.LANES)) & STRIP_MASK;
                uint256 fedIn = Strips.soldOf(metered[strip] & Strips.LANES_MASK & ~Strips.ALL_FLAGS);
                uint256 lanes = Strips.least(fedIn, Strips.spread(Strips.flagsOf(bits), r.energy));
                net[strip] = isBuyer ? net[strip] + lanes : net[strip] - lanes;
                delivered += Strips.sum(lanes);
            }
        }
    }

    // ----------------------------------------------------------------------------------------------------------- records

    function _known(uint32 number) private view returns (Record memory) {
        if (number == 0 || number > tradeCount) revert NoSuchTrade(number);
        return _records[number];
    }

    function _funded(uint32 number) private view returns (Record memory r) {
        r = _known(number);
        if (r.state != EscrowState.Funded) revert NotFunded(number, r.state);
    }

    function _termsOf(Record memory r) private pure returns (EscrowTerms memory) {
        return EscrowTerms({
            slots: r.slots,
            energy: Energy.wrap(r.energy),
            price: Price.wrap(r.price),
            buyerKey: r.buyerKey,
            sellerKey: r.sellerKey,
            mediator: r.mediator
        });
    }

    /// @return Wh of all its periods.
    function _energyOf(Record memory r) private pure returns (uint256) {
        return uint256(r.energy) * DeliveryDays.count(r.slots);
    }

    /// @return money units.
    function _escrowOf(Record memory r) private pure returns (uint256) {
        return _energyOf(r) * r.price;
    }
}
