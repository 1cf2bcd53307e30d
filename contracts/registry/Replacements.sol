// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IParticipantRegistry} from "../interfaces/IParticipantRegistry.sol";
import {IReplacements, Veto} from "../interfaces/IReplacements.sol";
import {Calendar, CalendarParameters} from "../types/Calendar.sol";
import {SigningDomain} from "../types/SigningDomain.sol";

/// @title Replacements
contract Replacements is IReplacements, AccessManaged, SigningDomain, Calendar {
    bytes32 private constant REPLACEMENT_TYPEHASH =
        keccak256("Replacement(uint32 id,address replaced,address account)");
    bytes32 private constant VETO_TYPEHASH = keccak256("Veto(uint32 id,address account)");
    /// So long the old account may veto, days of delivery; and so long who is right has to take its money out.
    uint256 private constant WAIT = 7;
    uint64 private constant NEVER = type(uint64).max;

    struct Announcement {
        address account;
        /// Unix time from which it is carried out; never after a veto, until the council has decided.
        uint64 from;
        bool isVetoed;
        bool isAllowed;
    }

    IParticipantRegistry private immutable REGISTRY;

    mapping(uint32 id => Announcement) private _announcements;

    constructor(address authority, CalendarParameters memory calendar_, IParticipantRegistry registry)
        AccessManaged(authority)
        Calendar(calendar_)
    {
        REGISTRY = registry;
    }

    /// @inheritdoc IReplacements
    function announce(uint32 id, address account, bytes calldata signature) external restricted {
        address replaced = REGISTRY.member(id).account;
        if (replaced == address(0)) revert NoKeyToLose(id);
        _requireSigned(account, keccak256(abi.encode(REPLACEMENT_TYPEHASH, id, replaced, account)), signature);
        // Nobody undoes what the council has decided.
        if (_announcements[id].isAllowed) revert DecidedAlready(id, _announcements[id].account);
        // Once there was a veto it takes the council, whatever account is named.
        bool isVetoed = _announcements[id].isVetoed;
        uint64 from = isVetoed ? NEVER : _due();
        _announcements[id] = Announcement(account, from, isVetoed, false);
        emit ReplacementAnnounced(id, account, from);
    }

    /// @inheritdoc IReplacements
    function veto(uint32 id) external {
        _veto(id, msg.sender);
    }

    /// @inheritdoc IReplacements
    function vetoSigned(Veto calldata v, bytes calldata signature) external {
        address own = REGISTRY.member(v.id).account;
        _requireSigned(own, keccak256(abi.encode(VETO_TYPEHASH, v)), signature);
        _requireAnnounced(v.id, v.account);
        _veto(v.id, own);
    }

    /// @inheritdoc IReplacements
    function allow(uint32 id, address account) external restricted {
        _requireAnnounced(id, account);
        Announcement storage a = _announcements[id];
        if (!a.isVetoed || a.isAllowed) revert NotVetoed(id);
        a.isAllowed = true;
        a.from = _due();
        emit ReplacementAllowed(id, account, a.from);
    }

    /// @inheritdoc IReplacements
    function carryOut(uint32 id) external {
        Announcement memory a = _announcements[id];
        _requireAnnounced(id, a.account);
        if (block.timestamp < a.from) revert NotDueYet(id, a.from);
        delete _announcements[id];
        REGISTRY.replaceAccount(id, a.account);
    }

    /// @inheritdoc IReplacements
    function replacementOf(uint32 id) external view returns (address account, uint256 from, bool isVetoed) {
        Announcement storage a = _announcements[id];
        return (a.account, a.from, a.isVetoed);
    }

    function _veto(uint32 id, address own) private {
        Announcement storage a = _announcements[id];
        if (own != REGISTRY.member(id).account) revert NotItsAccount(id, own);
        if (a.account == address(0)) revert NotAnnounced(id, a.account);
        if (a.isVetoed) revert NoVeto(id);
        a.isVetoed = true;
        a.from = NEVER;
        emit ReplacementVetoed(id, a.account);
    }

    function _due() private view returns (uint64) {
        return uint64(block.timestamp + WAIT * DAY_LENGTH);
    }

    function _requireAnnounced(uint32 id, address account) private view {
        if (account == address(0) || _announcements[id].account != account) revert NotAnnounced(id, account);
    }

    function _requireSigned(address account, bytes32 message, bytes calldata signature) private view {
        address signer = ECDSA.recover(_hashTypedDataV4(message), signature);
        if (signer != account) revert NotSignedBy(account, signer);
    }
}
