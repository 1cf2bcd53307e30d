// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IMarketRules} from "../../interfaces/IMarketRules.sol";
import {IParticipantRegistry} from "../../interfaces/IParticipantRegistry.sol";
import {IWholesaleDesk, WholesaleCommitment} from "../../interfaces/IWholesaleDesk.sol";
import {Calendar, CalendarParameters} from "../../types/Calendar.sol";
import {Kind} from "../../types/Members.sol";
import {Ring} from "../../types/Ring.sol";
import {SigningDomain} from "../../types/SigningDomain.sol";
import {Strips} from "../../types/Strips.sol";

/// @title Wholesale desk
/// @dev Beside WholesaleResidual, so that each stays within the size of a contract. The hash of a report hides it: the report
/// carries a salt of the desk's own.
contract WholesaleDesk is IWholesaleDesk, AccessManaged, SigningDomain, Calendar {
    bytes32 private constant COMMITMENT_TYPEHASH =
        keccak256("WholesaleCommitment(address desk,uint32 day,bytes32 report)");

    /// A desk and the first day it is the desk of.
    struct Appointment {
        uint32 firstDay;
        uint32 id;
    }

    struct Commitment {
        uint32 day;
        bytes32 report;
    }

    IParticipantRegistry private immutable REGISTRY;
    IMarketRules private immutable RULES;

    /// Ascending by first day.
    Appointment[] private _appointed;
    mapping(uint256 ringPlace => Commitment) private _commitments;

    constructor(
        address authority,
        CalendarParameters memory calendar_,
        IParticipantRegistry registry,
        IMarketRules rules
    ) AccessManaged(authority) Calendar(calendar_) {
        REGISTRY = registry;
        RULES = rules;
    }

    /// @inheritdoc IWholesaleDesk
    function appoint(uint32 id, uint32 firstDay) external restricted {
        if (id != 0 && REGISTRY.member(id).kind != Kind.WholesaleDesk) revert NotADesk(id);
        uint256 earliest = dayAt(block.timestamp + OPEN_LEAD) + 1;
        if (firstDay < earliest) revert TooLateToAppoint(firstDay, earliest);
        if (firstDay > Strips.MAX_DAY) revert NoSuchDay(firstDay);
        while (_appointed.length > 0 && _appointed[_appointed.length - 1].firstDay >= firstDay) {
            _appointed.pop();
        }
        _appointed.push(Appointment(firstDay, id));
        emit DeskAppointed(firstDay, id);
    }

    /// @inheritdoc IWholesaleDesk
    function commit(WholesaleCommitment calldata c, bytes calldata signature) external {
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(COMMITMENT_TYPEHASH, c.desk, c.day, c.report)));
        address signer = ECDSA.recover(digest, signature);
        if (signer != c.desk) revert NotSignedByDesk(c.desk, signer);
        (uint32 day, uint256 gate) = (c.day, gateClosesAt(c.day));
        if (block.timestamp < opensAt(day)) revert TooEarlyToCommit(day, opensAt(day), block.timestamp);
        if (block.timestamp >= gate) revert TooLateToCommit(day, gate, block.timestamp);
        uint32 id = REGISTRY.idOf(c.desk);
        _requireDesk(day, id);
        if (_commitments[Ring.place(day)].day == day) revert AlreadyCommitted(day);
        RULES.requireRoom(day);
        _commitments[Ring.place(day)] = Commitment(day, c.report);
        emit Committed(id, day, c.report);
    }

    /// @inheritdoc IWholesaleDesk
    function requireCommitted(uint256 day, uint32 id, bytes32 report) external view {
        // A desk signs what hash it likes, also one of a report that names somebody else.
        _requireDesk(day, id);
        bytes32 committed = commitmentOf(day);
        if (committed != report) revert NotCommitted(day, report, committed);
    }

    /// @inheritdoc IWholesaleDesk
    function deskOf(uint256 day) public view returns (uint32) {
        for (uint256 i = _appointed.length; i > 0; --i) {
            if (_appointed[i - 1].firstDay <= day) return _appointed[i - 1].id;
        }
        return 0;
    }

    /// @inheritdoc IWholesaleDesk
    function commitmentOf(uint256 day) public view returns (bytes32) {
        Commitment storage commitment = _commitments[Ring.place(day)];
        return commitment.day == day ? commitment.report : bytes32(0);
    }

    function _requireDesk(uint256 day, uint32 id) private view {
        uint32 appointed = deskOf(day);
        if (id == 0 || id != appointed) revert NotTheDesk(day, id, appointed);
    }
}
