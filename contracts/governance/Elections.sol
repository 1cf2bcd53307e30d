// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {ICouncil} from "../interfaces/ICouncil.sol";
import {Ballot, IElections, Nomination, Nominee, Opening, Terms} from "../interfaces/IElections.sol";
import {IParticipantRegistry, Member} from "../interfaces/IParticipantRegistry.sol";
import {Kind, Status} from "../types/Members.sol";
import {SigningDomain} from "../types/SigningDomain.sol";

/// @title Elections
contract Elections is IElections, SigningDomain {
    bytes32 private constant NOMINATION_TYPEHASH = keccak256("Nomination(address nominee,uint32 election)");
    bytes32 private constant BALLOT_TYPEHASH =
        keccak256("Ballot(address voter,uint32 election,bytes32 commitment,uint40 sequence)");
    bytes32 private constant OPENING_TYPEHASH =
        keccak256("Opening(uint32 election,uint32 id,address nominee,bytes32 salt,uint40 sequence)");
    uint256 private constant MAX_PLACES = 16;
    /// So many nominees are counted, so that it fits one transaction.
    uint256 private constant MAX_COUNTED = 64;

    struct Closed {
        bytes32 commitment;
        uint40 sequence;
        bool isOpened;
    }

    IParticipantRegistry private immutable REGISTRY;
    ICouncil private immutable COUNCIL;

    Terms private _terms;
    // Slither does not see what is written by a reference.
    // slither-disable-next-line uninitialized-state
    mapping(uint32 election => Nominee[]) private _nominees;
    /// Place in the list, counted from 1, by number: that stays when an account is replaced.
    mapping(uint32 election => mapping(uint32 nominee => uint256)) private _placeOf;
    /// Places of the nominees who are counted: all, or the first 64 by votes, of equals who was nominated first.
    mapping(uint32 election => uint256[]) private _counted;
    mapping(uint32 election => mapping(uint256 place => bool)) private _isCounted;
    /// By number as well.
    mapping(uint32 election => mapping(uint32 id => Closed)) public ballotOf;
    uint32 public lastConcluded;

    constructor(IParticipantRegistry registry, ICouncil council, Terms memory t) {
        bool isTimed = t.nominationPeriod > 0 && t.votingPeriod > 0 && t.countingPeriod > 0
            && uint256(t.nominationPeriod) + t.votingPeriod + t.countingPeriod <= t.termLength
            && t.opening >= block.timestamp;
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
    function vote(uint32 election, bytes32 commitment, uint40 sequence) external {
        _vote(election, msg.sender, commitment, sequence);
    }

    /// @inheritdoc IElections
    function voteSigned(Ballot calldata b, bytes calldata signature) external {
        _requireSigned(b.voter, keccak256(abi.encode(BALLOT_TYPEHASH, b)), signature);
        _vote(b.election, b.voter, b.commitment, b.sequence);
    }

    /// @inheritdoc IElections
    function open(Opening calldata o) external {
        (,, uint256 from, uint256 until) = _times(o.election);
        if (block.timestamp < from || block.timestamp >= until) revert NotCounting(o.election, from, until);
        Closed storage ballot = ballotOf[o.election][o.id];
        bytes32 opening = _hashTypedDataV4(keccak256(abi.encode(OPENING_TYPEHASH, o)));
        if (ballot.commitment != opening) revert NotCommitted(o.election, o.id, opening);
        if (ballot.isOpened) revert AlreadyOpened(o.election, o.id);
        uint256 place = _placeOf[o.election][REGISTRY.numberOf(o.nominee)];
        if (place == 0) revert NotNominated(o.election, o.nominee);
        ballot.isOpened = true;
        Nominee storage nominee = _nominees[o.election][place - 1];
        uint256 votes = ++nominee.votes;
        emit Opened(o.election, o.id, nominee.account);
        if (!_isCounted[o.election][place]) _displace(o.election, place, votes);
    }

    /// @inheritdoc IElections
    function conclude(uint32 election) external {
        if (election <= lastConcluded) revert NoSuchElection(election, lastConcluded);
        (,,, uint256 until) = _times(election);
        if (block.timestamp < until) revert NotOverYet(election, until);
        lastConcluded = election;
        address[] memory elected = _count(election);
        emit Concluded(election, elected);
        COUNCIL.seatRepresentatives(elected);
    }

    /// @inheritdoc IElections
    function vacate(address representative) external {
        if (_memberOf(representative).status != Status.Exited) revert StillAMember(representative);
        COUNCIL.vacate(representative);
    }

    /// @inheritdoc IElections
    function moveSeat(address representative) external {
        address account = _memberOf(representative).account;
        if (account == representative) revert StillItsAccount(representative);
        COUNCIL.moveSeat(representative, account);
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
        (uint256 from, uint256 until,,) = _times(election);
        if (block.timestamp < from || block.timestamp >= until) revert NotNominating(election, from, until);
        uint32 id = _participant(nominee);
        if (id == 0) revert NotAParticipant(nominee);
        if (_placeOf[election][id] != 0) revert AlreadyNominated(election, nominee);
        Nominee[] storage list = _nominees[election];
        list.push(Nominee(nominee, 0));
        uint256 place = list.length;
        _placeOf[election][id] = place;
        if (place <= MAX_COUNTED) {
            _counted[election].push(place);
            _isCounted[election][place] = true;
        }
        emit Nominated(election, nominee);
    }

    function _vote(uint32 election, address voter, bytes32 commitment, uint40 sequence) private {
        (, uint256 from, uint256 until,) = _times(election);
        if (block.timestamp < from || block.timestamp >= until) revert NotVoting(election, from, until);
        uint32 id = _participant(voter);
        if (id == 0) revert NotAParticipant(voter);
        uint40 last = ballotOf[election][id].sequence;
        if (sequence <= last) revert StaleMessage(id, sequence, last);
        ballotOf[election][id] = Closed(commitment, sequence, false);
        emit Voted(election, id, commitment, sequence);
    }

    /// Whoever comes before the last of those counted is counted in its place: being early shuts nobody out, and it
    /// makes no difference which ballot is opened first.
    function _displace(uint32 election, uint256 place, uint256 votes) private {
        uint256[] storage counted = _counted[election];
        uint256 last = 0;
        uint256 fewest = type(uint256).max;
        for (uint256 i = 0; i < counted.length; ++i) {
            uint256 own = _nominees[election][counted[i] - 1].votes;
            // Of equals the one nominated last is the last.
            if (own < fewest || (own == fewest && counted[i] > counted[last])) (last, fewest) = (i, own);
        }
        if (votes < fewest || (votes == fewest && place > counted[last])) return;
        _isCounted[election][counted[last]] = false;
        _isCounted[election][place] = true;
        counted[last] = place;
    }

    function _requireSigned(address account, bytes32 message, bytes calldata signature) private view {
        address signer = ECDSA.recover(_hashTypedDataV4(message), signature);
        if (signer != account) revert NotSignedBy(account, signer);
    }

    /// @return nominating when nominations begin,
    /// @return voting when they end and ballots are cast,
    /// @return counting when that ends and ballots are opened, and
    /// @return until when that ends.
    function _times(uint32 election)
        private
        view
        returns (uint256 nominating, uint256 voting, uint256 counting, uint256 until)
    {
        if (election == 0) revert NoSuchElection(election, lastConcluded);
        nominating = _terms.opening + uint256(election - 1) * _terms.termLength;
        voting = nominating + _terms.nominationPeriod;
        counting = voting + _terms.votingPeriod;
        until = counting + _terms.countingPeriod;
    }

    /// @return id number of a participant that is admitted, 0 for anybody else.
    function _participant(address account) private view returns (uint32 id) {
        id = REGISTRY.idOf(account);
        return id != 0 && _isParticipant(REGISTRY.member(id)) ? id : 0;
    }

    function _isParticipant(Member memory m) private pure returns (bool) {
        bool hasVote = (m.kind == Kind.Consumer || m.kind == Kind.Prosumer) && m.meter != address(0);
        return hasVote && m.status == Status.Admitted;
    }

    /// @return the member whose account this is or was.
    function _memberOf(address account) private view returns (Member memory) {
        return REGISTRY.member(REGISTRY.numberOf(account));
    }

    /// @return elected those with the most votes, as many as there are places and nominees who still take part.
    function _count(uint32 election) private view returns (address[] memory elected) {
        uint256[] memory counted = _counted[election];
        uint256[] memory ranks = new uint256[](counted.length);
        uint256 left = 0;
        for (uint256 i = 0; i < counted.length; ++i) {
            Nominee memory n = _nominees[election][counted[i] - 1];
            if (!_isParticipant(_memberOf(n.account))) continue;
            // Of equals who was nominated first comes first.
            ranks[i] = (uint256(n.votes) << 128) | (type(uint128).max - counted[i]);
            ++left;
        }
        uint256 places = _terms.places < left ? _terms.places : left;
        elected = new address[](places);
        for (uint256 place = 0; place < places; ++place) {
            uint256 best = 0;
            for (uint256 i = 1; i < ranks.length; ++i) {
                if (ranks[i] > ranks[best]) best = i;
            }
            elected[place] = _memberOf(_nominees[election][counted[best] - 1].account).account;
            ranks[best] = 0;
        }
    }
}
