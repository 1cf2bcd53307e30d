// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ICouncil} from "../interfaces/ICouncil.sol";
import {Ballot, IElections, Nomination, Nominee, Terms} from "../interfaces/IElections.sol";
import {IParticipantRegistry} from "../interfaces/IParticipantRegistry.sol";
import {Kind, Status} from "../types/Members.sol";

/// @title Elections
contract Elections is IElections, EIP712 {
    bytes32 private constant NOMINATION_TYPEHASH = keccak256("Nomination(address nominee,uint32 election)");
    bytes32 private constant BALLOT_TYPEHASH = keccak256("Ballot(address voter,uint32 election,address nominee)");
    uint256 private constant MAX_PLACES = 16;
    /// So that an election is counted in one transaction.
    uint256 private constant MAX_NOMINEES = 64;

    IParticipantRegistry private immutable REGISTRY;
    ICouncil private immutable COUNCIL;

    Terms private _terms;
    mapping(uint32 election => Nominee[]) private _nominees;
    /// Place in the list, counted from 1.
    mapping(uint32 election => mapping(address nominee => uint256)) private _placeOf;
    mapping(uint32 election => mapping(uint32 id => bool)) public hasVoted;
    uint32 public lastConcluded;

    constructor(IParticipantRegistry registry, ICouncil council, Terms memory t) EIP712("DEM", "1") {
        bool isTimed = t.nominationPeriod > 0 && t.votingPeriod > 0
            && uint256(t.nominationPeriod) + t.votingPeriod <= t.termLength && t.opening >= block.timestamp;
        if (!isTimed || t.places == 0 || t.places > MAX_PLACES) revert BadTerms(t);
        REGISTRY = registry;
        COUNCIL = council;
        _terms = t;
    }

    /// @inheritdoc IElections
    function nominate(uint32 election) external {
        _nominate(election, msg.sender);
    }

    /// @inheritdoc IElections
    function nominateSigned(Nomination calldata n, bytes calldata signature) external {
        _requireSigned(n.nominee, keccak256(abi.encode(NOMINATION_TYPEHASH, n.nominee, n.election)), signature);
        _nominate(n.election, n.nominee);
    }

    /// @inheritdoc IElections
    function vote(uint32 election, address nominee) external {
        _vote(election, msg.sender, nominee);
    }

    /// @inheritdoc IElections
    function voteSigned(Ballot calldata b, bytes calldata signature) external {
        _requireSigned(b.voter, keccak256(abi.encode(BALLOT_TYPEHASH, b.voter, b.election, b.nominee)), signature);
        _vote(b.election, b.voter, b.nominee);
    }

    /// @inheritdoc IElections
    function conclude(uint32 election) external {
        if (election <= lastConcluded) revert NoSuchElection(election, lastConcluded);
        (,, uint256 until) = _times(election);
        if (block.timestamp < until) revert NotOverYet(election, until);
        lastConcluded = election;
        address[] memory elected = _count(election);
        emit Concluded(election, elected);
        COUNCIL.seatRepresentatives(elected);
    }

    /// @inheritdoc IElections
    function vacate(address representative) external {
        if (REGISTRY.statusOf(representative) != Status.Exited) revert StillAMember(representative);
        COUNCIL.vacate(representative);
    }

    /// @inheritdoc IElections
    function terms() external view returns (Terms memory) {
        return _terms;
    }

    /// @inheritdoc IElections
    function nominees(uint32 election) external view returns (Nominee[] memory) {
        return _nominees[election];
    }

    function _nominate(uint32 election, address nominee) private {
        (uint256 from, uint256 until,) = _times(election);
        if (block.timestamp < from || block.timestamp >= until) revert NotNominating(election, from, until);
        if (_participant(nominee) == 0) revert NotAParticipant(nominee);
        if (_placeOf[election][nominee] != 0) revert AlreadyNominated(election, nominee);
        Nominee[] storage list = _nominees[election];
        if (list.length == MAX_NOMINEES) revert TooManyNominees(election, MAX_NOMINEES);
        list.push(Nominee(nominee, 0));
        _placeOf[election][nominee] = list.length;
        emit Nominated(election, nominee);
    }

    function _vote(uint32 election, address voter, address nominee) private {
        (, uint256 from, uint256 until) = _times(election);
        if (block.timestamp < from || block.timestamp >= until) revert NotVoting(election, from, until);
        uint32 id = _participant(voter);
        if (id == 0) revert NotAParticipant(voter);
        uint256 place = _placeOf[election][nominee];
        if (place == 0) revert NotNominated(election, nominee);
        if (hasVoted[election][id]) revert AlreadyVoted(election, voter);
        hasVoted[election][id] = true;
        ++_nominees[election][place - 1].votes;
        emit Voted(election, voter, nominee);
    }

    function _requireSigned(address account, bytes32 message, bytes calldata signature) private view {
        address signer = ECDSA.recover(_hashTypedDataV4(message), signature);
        if (signer != account) revert NotSignedBy(account, signer);
    }

    /// @return nominating when nominations begin, and
    /// @return voting when they end and votes are cast, and
    /// @return until when that ends.
    function _times(uint32 election) private view returns (uint256 nominating, uint256 voting, uint256 until) {
        if (election == 0) revert NoSuchElection(election, lastConcluded);
        nominating = _terms.opening + uint256(election - 1) * _terms.termLength;
        voting = nominating + _terms.nominationPeriod;
        until = voting + _terms.votingPeriod;
    }

    /// @return id number of a participant that is admitted, 0 for anybody else.
    function _participant(address account) private view returns (uint32 id) {
        id = REGISTRY.idOf(account);
        if (id == 0) return 0;
        Kind kind = REGISTRY.member(id).kind;
        bool isParticipant = kind == Kind.Consumer || kind == Kind.Prosumer;
        return isParticipant && REGISTRY.statusOf(account) == Status.Admitted ? id : 0;
    }

    /// @return elected those with the most votes, as many as there are places and nominees who still take part.
    function _count(uint32 election) private view returns (address[] memory elected) {
        Nominee[] memory list = _nominees[election];
        uint256 left = 0;
        for (uint256 i = 0; i < list.length; ++i) {
            // Moves those who can be seated to the front, in their order.
            if (_participant(list[i].account) != 0) list[left++] = list[i];
        }
        uint256 places = _terms.places < left ? _terms.places : left;
        elected = new address[](places);
        for (uint256 place = 0; place < places; ++place) {
            uint256 best = place;
            for (uint256 i = place + 1; i < left; ++i) {
                if (list[i].votes > list[best].votes) best = i;
            }
            Nominee memory first = list[best];
            // The others keep their order, which decides among equals.
            for (uint256 i = best; i > place; --i) {
                list[i] = list[i - 1];
            }
            list[place] = first;
            elected[place] = first.account;
        }
    }
}
