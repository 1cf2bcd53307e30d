// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ILots} from "../../interfaces/ILots.sol";
import {IMarketRules} from "../../interfaces/IMarketRules.sol";
import {Calendar, CalendarParameters} from "../../types/Calendar.sol";
import {Ring} from "../../types/Ring.sol";

/// @title Lots of the days
/// @notice Secrets of the council's seats, and the lot that follows from them (rule 15.3).
contract Lots is ILots, AccessManaged, Calendar {
    struct Pledge {
        bytes32 hash;
        address deputy;
        uint16 day;
        bool isVouched;
        bool isOpen;
    }

    struct DayLot {
        uint16 day;
        uint32 pledged;
        uint32 vouched;
        uint32 opened;
        /// Of the hashes of the secrets that are open.
        uint256 sum;
    }

    /// From so many secrets with a deputy on, only these count: a seat knows its own and one more, so never all of them.
    uint256 private constant ENOUGH = 3;

    IMarketRules private immutable RULES;

    mapping(address seat => mapping(uint256 ringPlace => Pledge)) private _pledges;
    mapping(uint256 ringPlace => DayLot) private _lots;
    /// The last day for which a seat holds the secret of another one, by its place in the ring.
    mapping(address deputy => mapping(uint256 ringPlace => uint256)) private _deputyFor;

    constructor(address authority, CalendarParameters memory calendar_, IMarketRules rules)
        AccessManaged(authority)
        Calendar(calendar_)
    {
        RULES = rules;
    }

    /// @inheritdoc ILots
    function pledge(uint32 day, bytes32 hash, address deputy) external restricted {
        _requireOpenDay(day);
        Pledge storage p = _pledges[msg.sender][Ring.place(day)];
        if (p.day == day) revert AlreadyPledged(day, msg.sender);
        DayLot storage lot = _lotStateOf(day);
        ++lot.pledged;
        _pledges[msg.sender][Ring.place(day)] = Pledge(hash, deputy, uint16(day), false, false);
        emit Pledged(day, msg.sender, deputy, hash);
    }

    /// @inheritdoc ILots
    function vouch(uint32 day, address seat) external restricted {
        _requireOpenDay(day);
        Pledge storage p = _pledges[seat][Ring.place(day)];
        if (p.day != day || p.deputy != msg.sender || seat == msg.sender || p.isVouched) {
            revert NotTheDeputy(day, seat, msg.sender);
        }
        if (_deputyFor[msg.sender][Ring.place(day)] == day) revert DeputyOfAnother(day, msg.sender);
        _deputyFor[msg.sender][Ring.place(day)] = day;
        p.isVouched = true;
        ++_lots[Ring.place(day)].vouched;
        emit Vouched(day, seat);
    }

    /// @inheritdoc ILots
    function open(uint32 day, address seat, bytes32 secret) external {
        uint256 gate = gateClosesAt(day);
        DayLot storage lot = _lots[Ring.place(day)];
        if (block.timestamp < gate || block.timestamp >= gate + PERIOD_LENGTH) revert NoTimeToOpen(day);
        Pledge storage p = _pledges[seat][Ring.place(day)];
        bool counts = p.day == day && !p.isOpen && (p.isVouched || lot.vouched < ENOUGH);
        if (!counts || p.hash != keccak256(abi.encode(day, seat, secret))) revert NotPledged(day, seat);
        p.isOpen = true;
        ++lot.opened;
        // Modulo 2^256: what one seat adds to the sum, nobody who does not know all the others can choose.
        unchecked {
            lot.sum += uint256(keccak256(abi.encode(secret)));
        }
        emit Opened(day, seat, secret);
    }

    /// @inheritdoc ILots
    function lotOf(uint256 day) external view returns (bytes32) {
        uint256 gate = gateClosesAt(day);
        DayLot memory lot = _lots[Ring.place(day)];
        if (lot.day != day) lot = DayLot(uint16(day), 0, 0, 0, 0);
        uint256 due = lot.vouched < ENOUGH ? lot.pledged : lot.vouched;
        uint256 knownAt = gate + (lot.opened < due ? PERIOD_LENGTH : 0);
        if (block.timestamp < knownAt) revert NotDrawn(day, knownAt);
        return keccak256(abi.encode(day, lot.opened, lot.sum));
    }

    function _requireOpenDay(uint256 day) private view {
        uint256 start = startOf(day);
        if (block.timestamp + OPEN_LEAD < start || block.timestamp + GATE_LEAD >= start) revert NoTimeToPledge(day);
    }

    function _lotStateOf(uint256 day) private returns (DayLot storage lot) {
        lot = _lots[Ring.place(day)];
        if (lot.day == day) return lot;
        // The day that had this place is final.
        RULES.requireRoom(day);
        _lots[Ring.place(day)] = DayLot(uint16(day), 0, 0, 0, 0);
    }
}
