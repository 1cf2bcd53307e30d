// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IAccessManager} from "@openzeppelin/contracts/access/manager/IAccessManager.sol";
import {Call, ICouncil, Proposal, Seat, State} from "../interfaces/ICouncil.sol";
import {ADMIN, FIRST_CONTRACT_ROLE, NODE, REOPENING} from "../types/Roles.sol";

/// @title Council
/// @dev It needs of the authority: the roles it decides by, each with a delay, and without one the role that grants NODE and the
/// role REOPENING.
contract Council is ICouncil, AccessManaged {
    uint256 private constant MAX_CALLS = 16;
    uint256 private constant MAX_INSTITUTIONS = 16;
    uint256 private constant LIFETIME = 30 days;
    /// Longest delay it can give itself: whatever it decides, it can still change.
    uint32 private constant MAX_DELAY = 30 days;

    struct Record {
        uint64 proposedAt;
        uint64 readyAt;
        bool isExecuted;
        /// Whether it calls anything that waits for a delay.
        bool waits;
        Call[] calls;
        mapping(uint32 seat => bool) approvals;
    }

    /// Of a proposal: approvals of seats that are held, and how many more it takes of each kind of seat.
    struct Support {
        uint256 approvals;
        uint256 institutions;
        uint256 representatives;
    }

    IAccessManager private immutable AUTHORITY;

    Seat[] private _seats;
    uint32 private _seatsTaken;
    uint256 private _threshold;
    uint256 public proposalCount;
    mapping(uint256 id => Record) private _proposals;

    constructor(IAccessManager authority_) AccessManaged(address(authority_)) {
        AUTHORITY = authority_;
    }

    /// @inheritdoc ICouncil
    function propose(Call[] calldata calls) external returns (uint256 id) {
        if (calls.length == 0 || calls.length > MAX_CALLS) revert BadCallCount(calls.length, MAX_CALLS);
        id = ++proposalCount;
        Record storage p = _proposals[id];
        p.proposedAt = uint64(block.timestamp);
        for (uint256 i = 0; i < calls.length; ++i) {
            _requireLawful(calls[i].target, calls[i].data);
            if (!_isUrgent(calls[i].target, bytes4(calls[i].data))) p.waits = true;
            p.calls.push(calls[i]);
        }
        emit Proposed(id, msg.sender, calls);
        approve(id);
    }

    /// @inheritdoc ICouncil
    function approve(uint256 id) public {
        Record storage p = _proposals[id];
        uint32 number = _seatOf(msg.sender);
        State state = _stateOf(p);
        if (state != State.Open && state != State.Decided) revert WrongState(id, state);
        if (p.approvals[number]) revert AlreadyApproved(id, msg.sender);
        p.approvals[number] = true;
        emit Approved(id, msg.sender);
        if (state == State.Open && _isSupported(p)) _decide(id, p);
    }

    /// @inheritdoc ICouncil
    function withdrawApproval(uint256 id) external {
        Record storage p = _proposals[id];
        uint32 number = _seatOf(msg.sender);
        State state = _stateOf(p);
        if (state != State.Open && state != State.Decided) revert WrongState(id, state);
        if (!p.approvals[number]) revert NotApproved(id, msg.sender);
        p.approvals[number] = false;
        emit ApprovalWithdrawn(id, msg.sender);
        if (state == State.Open || _isSupported(p)) return;
        p.readyAt = 0;
        emit Reopened(id);
        for (uint256 i = 0; i < p.calls.length; ++i) {
            if (_isUrgent(p.calls[i].target, bytes4(p.calls[i].data))) continue;
            // slither-disable-next-line unused-return
            AUTHORITY.cancel(address(this), p.calls[i].target, p.calls[i].data);
        }
    }

    /// @inheritdoc ICouncil
    function execute(uint256 id) external {
        Record storage p = _proposals[id];
        State state = _stateOf(p);
        if (state != State.Decided) revert WrongState(id, state);
        if (block.timestamp < p.readyAt) revert NotReady(id, p.readyAt);
        Support memory s = _supportOf(p);
        if (s.approvals < needed()) revert TooFewApprovals(id, s.approvals, needed());
        if (s.institutions + s.representatives > 0) revert OneSided(id, s.institutions, s.representatives);
        p.isExecuted = true;
        emit Executed(id);
        for (uint256 i = 0; i < p.calls.length; ++i) {
            Call memory c = p.calls[i];
            // What was lawful when it was proposed need not be so any more.
            _requireLawful(c.target, c.data);
            // solhint-disable-next-line avoid-low-level-calls
            (bool succeeded, bytes memory reason) = c.target.call(c.data);
            if (!succeeded) revert CallFailed(id, i, reason);
        }
    }

    /// @inheritdoc ICouncil
    function announceSealer(address sealer) external {
        _seats[_placeOf(msg.sender)].sealer = sealer;
        emit SealerAnnounced(msg.sender, sealer);
    }

    /// @inheritdoc ICouncil
    function seat(address holder) external restricted {
        if (holder == address(0) || holder == address(this)) revert CannotBeSeated(holder);
        if (_isSeated(holder)) revert AlreadySeated(holder);
        if (_institutions() == MAX_INSTITUTIONS) revert TooManySeats(MAX_INSTITUTIONS);
        _takeSeat(holder, false);
    }

    /// @inheritdoc ICouncil
    function unseat(address holder) external restricted {
        uint256 place = _placeOf(holder);
        if (_seats[place].isElected) revert NotAnInstitution(holder);
        if (_institutions() == 1) revert LastInstitution(holder);
        _lose(place);
    }

    /// @inheritdoc ICouncil
    function setThreshold(uint256 threshold) external restricted {
        _threshold = threshold;
        emit ThresholdSet(threshold);
    }

    /// @inheritdoc ICouncil
    // Between two seats only the authority is called.
    // slither-disable-next-line reentrancy-no-eth
    function seatRepresentatives(address[] calldata holders) external restricted {
        // From the last on, as a lost seat's place is taken by the last one.
        for (uint256 place = _seats.length; place > 0; --place) {
            Seat storage s = _seats[place - 1];
            if (s.isElected && !_contains(holders, s.holder)) _lose(place - 1);
        }
        for (uint256 i = 0; i < holders.length; ++i) {
            // One has one seat: an institution that is elected as well keeps its own.
            if (!_isSeated(holders[i])) _takeSeat(holders[i], true);
        }
    }

    /// @inheritdoc ICouncil
    function vacate(address holder) external restricted {
        uint256 place = _placeOf(holder);
        if (!_seats[place].isElected) revert NotARepresentative(holder);
        _lose(place);
    }

    /// @inheritdoc ICouncil
    // Between two seats only the authority is called.
    // slither-disable-next-line reentrancy-no-eth
    function moveSeat(address holder, address to) external restricted {
        uint256 place = _placeOf(holder);
        if (!_seats[place].isElected) revert NotARepresentative(holder);
        // Nodes have their role without a delay.
        // slither-disable-next-line unused-return
        (bool hasPause,) = AUTHORITY.hasRole(NODE, holder);
        _lose(place);
        if (_isSeated(to)) return;
        _takeSeat(to, true);
        if (!hasPause) AUTHORITY.revokeRole(NODE, to);
    }

    /// @inheritdoc ICouncil
    function takePause(address holder) external restricted {
        emit PauseTaken(_seatOf(holder), holder);
        AUTHORITY.revokeRole(NODE, holder);
    }

    /// @inheritdoc ICouncil
    function needed() public view returns (uint256) {
        uint256 all = _seats.length;
        uint256 majority = all / 2 + 1;
        uint256 wanted = _threshold > majority ? _threshold : majority;
        return wanted < all ? wanted : all;
    }

    /// @inheritdoc ICouncil
    function seats() external view returns (Seat[] memory) {
        return _seats;
    }

    /// @inheritdoc ICouncil
    function proposal(uint256 id) external view returns (Proposal memory) {
        Record storage p = _proposals[id];
        Support memory s = _supportOf(p);
        return Proposal({
            state: _stateOf(p),
            expiresAt: uint64(_expiryOf(p)),
            readyAt: p.readyAt,
            approvals: s.approvals,
            needed: needed(),
            missingInstitutions: s.institutions,
            missingRepresentatives: s.representatives,
            calls: p.calls
        });
    }

    /// @inheritdoc ICouncil
    function hasApproved(uint256 id, address holder) external view returns (bool) {
        return _isSeated(holder) && _proposals[id].approvals[_seatOf(holder)];
    }

    /// All calls become ready, and expire, at the same time: when the last one's delay is over.
    function _decide(uint256 id, Record storage p) private {
        uint256 delay = 0;
        for (uint256 i = 0; i < p.calls.length; ++i) {
            uint256 own = _delayOf(p.calls[i].target, bytes4(p.calls[i].data));
            if (own > delay) delay = own;
        }
        uint48 readyAt = uint48(block.timestamp + delay);
        p.readyAt = readyAt;
        emit Decided(id, readyAt);
        for (uint256 i = 0; i < p.calls.length; ++i) {
            if (_isUrgent(p.calls[i].target, bytes4(p.calls[i].data))) continue;
            // slither-disable-next-line unused-return
            AUTHORITY.schedule(p.calls[i].target, p.calls[i].data, readyAt);
        }
    }

    function _takeSeat(address holder, bool isElected) private {
        uint32 number = ++_seatsTaken;
        _seats.push(Seat(holder, isElected, number, address(0)));
        emit SeatTaken(number, holder, isElected);
        AUTHORITY.grantRole(NODE, holder, 0);
    }

    function _lose(uint256 place) private {
        Seat memory lost = _seats[place];
        _seats[place] = _seats[_seats.length - 1];
        _seats.pop();
        emit SeatLost(lost.number, lost.holder);
        AUTHORITY.revokeRole(NODE, lost.holder);
    }

    function _stateOf(Record storage p) private view returns (State) {
        if (p.proposedAt == 0) return State.None;
        if (p.isExecuted) return State.Executed;
        if (block.timestamp >= _expiryOf(p)) return State.Expired;
        return p.readyAt == 0 ? State.Open : State.Decided;
    }

    /// A decided call expires in the authority, which then takes the same call of another proposal.
    function _expiryOf(Record storage p) private view returns (uint256) {
        if (p.proposedAt == 0) return 0;
        return p.readyAt == 0 ? p.proposedAt + LIFETIME : uint256(p.readyAt) + AUTHORITY.expiration();
    }

    function _isSupported(Record storage p) private view returns (bool) {
        Support memory s = _supportOf(p);
        return s.approvals >= needed() && s.institutions + s.representatives == 0;
    }

    /// Where something waits for a delay, more than half of the institutions' seats and more than half of the
    /// representatives' are asked for: neither of the two reaches an office, or money, alone.
    function _supportOf(Record storage p) private view returns (Support memory s) {
        uint256 institutions = 0;
        uint256 approving = 0;
        for (uint256 i = 0; i < _seats.length; ++i) {
            bool approves = p.approvals[_seats[i].number];
            if (approves) ++s.approvals;
            if (_seats[i].isElected) continue;
            ++institutions;
            if (approves) ++approving;
        }
        if (!p.waits) return s;
        s.institutions = _missing(institutions, approving);
        s.representatives = _missing(_seats.length - institutions, s.approvals - approving);
    }

    /// @return approvals that seats of a kind lack to be more than half; 0 where there is no such seat.
    function _missing(uint256 seats_, uint256 approving) private pure returns (uint256) {
        if (seats_ == 0 || approving > seats_ / 2) return 0;
        return seats_ / 2 + 1 - approving;
    }

    /// @return seconds the authority makes the council wait for a call; 0 for what it may not, or may at once.
    function _delayOf(address target, bytes4 selector) private view returns (uint256) {
        uint64 role = target == address(AUTHORITY) ? ADMIN : AUTHORITY.getTargetFunctionRole(target, selector);
        (bool isMember, uint32 delay) = AUTHORITY.hasRole(role, address(this));
        return isMember ? delay : 0;
    }

    function _requireLawful(address target, bytes memory data) private view {
        bytes4 selector = bytes4(data);
        bool isLawful = target != address(AUTHORITY) || _isLawful(selector, data);
        bool isHeld = _delayOf(target, selector) > 0 || _isUrgent(target, selector);
        if (data.length < 4 || !isLawful || !isHeld) revert NotForTheCouncil(target, selector);
    }

    /// @return whether the call only lets a market go on: it needs no delay, and no schedule of the authority.
    function _isUrgent(address target, bytes4 selector) private view returns (bool) {
        // A role's number, nothing that moves.
        // slither-disable-next-line incorrect-equality
        return target != address(AUTHORITY) && AUTHORITY.getTargetFunctionRole(target, selector) == REOPENING;
    }

    /// What the council may ask of the authority. Whatever is not here, it does not: close a contract, move it to another authority, take
    /// a function from whoever has it, touch the roles that contracts hold, make somebody else admin, or lose its own roles or delay.
    function _isLawful(bytes4 selector, bytes memory data) private view returns (bool) {
        bytes memory arguments = new bytes(data.length < 4 ? 0 : data.length - 4);
        for (uint256 i = 0; i < arguments.length; ++i) {
            arguments[i] = data[i + 4];
        }
        if (selector == IAccessManager.labelRole.selector) return true;
        if (selector == IAccessManager.setTargetFunctionRole.selector) {
            (address target, bytes4[] memory selectors,) = abi.decode(arguments, (address, bytes4[], uint64));
            return target != address(this) && _isUnassigned(target, selectors);
        }
        if (selector == IAccessManager.grantRole.selector) {
            (uint64 role, address account, uint32 delay) = abi.decode(arguments, (uint64, address, uint32));
            if (account == address(this)) return (role == ADMIN || _isOffice(role)) && delay > 0 && delay <= MAX_DELAY;
            return _isOffice(role);
        }
        if (selector == IAccessManager.revokeRole.selector) {
            (uint64 role, address account) = abi.decode(arguments, (uint64, address));
            return (role == ADMIN || _isOffice(role)) && account != address(this);
        }
        return false;
    }

    /// NODE comes with a seat.
    function _isOffice(uint64 role) private pure returns (bool) {
        return role != ADMIN && role != NODE && role < FIRST_CONTRACT_ROLE;
    }

    function _isUnassigned(address target, bytes4[] memory selectors) private view returns (bool) {
        for (uint256 i = 0; i < selectors.length; ++i) {
            if (AUTHORITY.getTargetFunctionRole(target, selectors[i]) != ADMIN) return false;
        }
        return true;
    }

    function _institutions() private view returns (uint256 count) {
        for (uint256 i = 0; i < _seats.length; ++i) {
            if (!_seats[i].isElected) ++count;
        }
    }

    function _isSeated(address holder) private view returns (bool) {
        for (uint256 i = 0; i < _seats.length; ++i) {
            if (_seats[i].holder == holder) return true;
        }
        return false;
    }

    function _placeOf(address holder) private view returns (uint256) {
        for (uint256 i = 0; i < _seats.length; ++i) {
            if (_seats[i].holder == holder) return i;
        }
        revert NotSeated(holder);
    }

    function _seatOf(address holder) private view returns (uint32) {
        return _seats[_placeOf(holder)].number;
    }

    function _contains(address[] calldata holders, address holder) private pure returns (bool) {
        for (uint256 i = 0; i < holders.length; ++i) {
            if (holders[i] == holder) return true;
        }
        return false;
    }
}
