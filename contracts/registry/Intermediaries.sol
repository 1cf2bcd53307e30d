// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IAccounts, Posting} from "../interfaces/IAccounts.sol";
import {IBrokeredMarket} from "../interfaces/IBrokeredMarket.sol";
import {Commission, IIntermediaries, Mandate} from "../interfaces/IIntermediaries.sol";
import {ISchedule} from "../interfaces/ISchedule.sol";
import {IMarketRules} from "../interfaces/IMarketRules.sol";
import {IParticipantRegistry, Member} from "../interfaces/IParticipantRegistry.sol";
import {Calendar, CalendarParameters} from "../types/Calendar.sol";
import {Kind, Status} from "../types/Members.sol";
import {SigningDomain} from "../types/SigningDomain.sol";
import {Strips} from "../types/Strips.sol";
import {Energy, Money, Price} from "../types/Units.sol";

/// @title Intermediaries
/// @dev Of what has not begun only the newest is kept, so a walk back to a day that is not final passes one version a day at most.
contract Intermediaries is IIntermediaries, SigningDomain, Calendar, Multicall {
    using SafeCast for int256;
    using SafeCast for uint256;

    bytes32 private constant MANDATE_TYPEHASH =
        keccak256("Mandate(address client,address intermediary,uint16 share,uint32 firstDay,uint40 sequence)");
    bytes32 private constant COMMISSION_TYPEHASH =
        keccak256("Commission(address intermediary,uint32 perWh,uint32 firstDay,uint40 sequence)");
    uint256 private constant WHOLE_SHARE = 10_000;

    /// A mandate, or a commission, and the first day it applies to: one storage word.
    struct Version {
        uint32 firstDay;
        uint32 intermediary;
        uint16 share;
        Price perWh;
    }

    IParticipantRegistry private immutable REGISTRY;
    IMarketRules private immutable RULES;
    IAccounts private immutable ACCOUNTS;
    ISchedule private immutable SCHEDULE;

    mapping(uint32 client => Version[]) private _mandates;
    mapping(uint32 intermediary => Version[]) private _commissions;
    mapping(uint32 id => uint40) public lastSequence;

    constructor(
        CalendarParameters memory calendar_,
        IParticipantRegistry registry,
        IMarketRules rules,
        IAccounts accounts,
        ISchedule schedule
    ) Calendar(calendar_) {
        REGISTRY = registry;
        RULES = rules;
        ACCOUNTS = accounts;
        SCHEDULE = schedule;
    }

    /// @inheritdoc IIntermediaries
    function choose(Mandate calldata m, bytes calldata signature) external {
        _requireSigned(
            m.client,
            keccak256(abi.encode(MANDATE_TYPEHASH, m.client, m.intermediary, m.share, m.firstDay, m.sequence)),
            signature
        );
        (uint32 id, bool isIntermediary) = _admitted(m.client);
        if (id == 0 || isIntermediary) revert NotAClient(m.client);
        uint32 intermediary = _chosen(m);
        _takeSequence(id, m.sequence);
        uint256 earliest = dayAt(block.timestamp + OPEN_LEAD) + 1;
        if (m.firstDay < earliest) revert TooLateToChoose(m.firstDay, earliest);
        _add(_mandates[id], earliest, Version(m.firstDay, intermediary, m.share, Price.wrap(0)));
        emit MandateGiven(id, intermediary, m.share, m.firstDay, uint32(earliest), m.sequence);
        REGISTRY.divide(id, m.firstDay);
    }

    /// @inheritdoc IIntermediaries
    function publish(Commission calldata c, bytes calldata signature) external {
        _requireSigned(
            c.intermediary,
            keccak256(abi.encode(COMMISSION_TYPEHASH, c.intermediary, c.perWh, c.firstDay, c.sequence)),
            signature
        );
        uint32 id = _intermediary(c.intermediary);
        _takeSequence(id, c.sequence);
        // Until the next day opens a client that does not agree can choose otherwise from the same day on.
        uint256 earliest = dayAt(block.timestamp + OPEN_LEAD) + 2;
        if (c.firstDay < earliest) revert TooLateToPublish(c.firstDay, earliest);
        uint256 cap = Price.unwrap(RULES.rulesOf(c.firstDay).commissionCap);
        if (Price.unwrap(c.perWh) > cap) revert CommissionTooHigh(Price.unwrap(c.perWh), cap);
        _add(_commissions[id], earliest, Version(c.firstDay, id, 0, c.perWh));
        emit CommissionPublished(id, c.perWh, c.firstDay, uint32(earliest), c.sequence);
    }

    /// @inheritdoc IIntermediaries
    function collect(uint32 day, uint32[] calldata clients, IBrokeredMarket market) external {
        // The schedule's markets are those whose trades are paid; any other could claim what it likes.
        if (ACCOUNTS.lockableFrom(address(market)) == 0) revert NotOfTheSchedule(address(market));
        // What traded on a day that does not count owes nothing, and what secures it is the council's to release.
        if (SCHEDULE.isVoid(market, day)) revert MarketIsVoid(address(market), day);
        // A day that is settled again may become void yet.
        if (day > RULES.lastFinalDay()) revert NotFinal(day, RULES.lastFinalDay());
        (uint256[] memory energies, uint256[] memory secured) = market.takeCommissions(day, clients);
        Posting[] memory postings = new Posting[](2 * clients.length);
        uint256 count = 0;
        for (uint256 i = 0; i < clients.length; ++i) {
            if (secured[i] == 0) continue;
            uint32 client = clients[i];
            uint32 intermediary = _on(_mandates[client], day).intermediary;
            // What is secured is the energy times the cap; a market that says otherwise takes no more for that.
            uint256 amount = Math.min(energies[i] * commissionOf(intermediary, day), secured[i]);
            _prepareRelease(market, client, secured[i]);
            postings[count++] = Posting(client, -amount.toInt256().toInt128(), secured[i].toUint128());
            postings[count++] = Posting(intermediary, amount.toInt256().toInt128(), 0);
            emit CommissionPaid(
                client, intermediary, day, market, Energy.wrap(energies[i].toUint64()), Money.wrap(amount.toUint128())
            );
        }
        assembly ("memory-safe") {
            mstore(postings, count)
        }
        ACCOUNTS.post(postings);
    }

    /// @inheritdoc IIntermediaries
    function mandateOf(uint32 client, uint256 day) external view returns (uint32 intermediary, uint256 share) {
        Version memory v = _on(_mandates[client], day);
        return (v.intermediary, v.share);
    }

    /// @inheritdoc IIntermediaries
    function commissionOf(uint32 intermediary, uint256 day) public view returns (uint256) {
        uint256 perWh = Price.unwrap(_on(_commissions[intermediary], day).perWh);
        uint256 cap = Price.unwrap(RULES.rulesOf(day).commissionCap);
        return perWh < cap ? perWh : cap;
    }

    /// The market releases what it holds itself, and no more.
    function _prepareRelease(IBrokeredMarket market, uint32 client, uint256 secured) private {
        uint256[] memory amounts = new uint256[](1);
        amounts[0] = secured;
        ACCOUNTS.prepareRelease(address(market), client, amounts);
    }

    function _requireSigned(address account, bytes32 message, bytes calldata signature) private view {
        address signer = ECDSA.recover(_hashTypedDataV4(message), signature);
        if (signer != account) revert NotSignedBy(account, signer);
    }

    function _takeSequence(uint32 id, uint40 sequence) private {
        if (sequence <= lastSequence[id]) revert StaleMessage(id, sequence, lastSequence[id]);
        lastSequence[id] = sequence;
    }

    /// @return intermediary number of the one the mandate names, 0 for none.
    function _chosen(Mandate calldata m) private view returns (uint32 intermediary) {
        if (m.intermediary != address(0)) intermediary = _intermediary(m.intermediary);
        if (m.share > WHOLE_SHARE || (m.share == 0) != (intermediary == 0)) revert BadShare(m.share);
    }

    function _intermediary(address account) private view returns (uint32 id) {
        bool isIntermediary;
        (id, isIntermediary) = _admitted(account);
        if (!isIntermediary) revert NotAnIntermediary(account);
    }

    /// @return id number of an admitted member, 0 for anybody else.
    /// @return isIntermediary whether it is one.
    function _admitted(address account) private view returns (uint32 id, bool isIntermediary) {
        id = REGISTRY.idOf(account);
        if (id == 0) return (0, false);
        Member memory m = REGISTRY.member(id);
        if (m.status != Status.Admitted) return (0, false);
        return (id, m.kind == Kind.Intermediary);
    }

    /// Adds a version; those from `earliest` on have not begun, and it takes their place.
    function _add(Version[] storage versions, uint256 earliest, Version memory added) private {
        if (added.firstDay > Strips.MAX_DAY) revert NoSuchDay(added.firstDay);
        while (versions.length > 0 && versions[versions.length - 1].firstDay >= earliest) {
            versions.pop();
        }
        versions.push(added);
    }

    /// @return the version that applies to a day, all zero before the first.
    function _on(Version[] storage versions, uint256 day) private view returns (Version memory) {
        for (uint256 i = versions.length; i > 0; --i) {
            if (versions[i - 1].firstDay <= day) return versions[i - 1];
        }
        return Version(0, 0, 0, Price.wrap(0));
    }
}
