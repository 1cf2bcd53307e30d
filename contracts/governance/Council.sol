// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IAccessManager} from "@openzeppelin/contracts/access/manager/IAccessManager.sol";
import {Call, ICouncil, Proposal, Seat, State} from "../interfaces/ICouncil.sol";
import {ADMIN, FIRST_CONTRACT_ROLE, NODE} from "../types/Roles.sol";

/// @title Council
/// @dev It needs of the authority: the roles it decides by, each with a delay, and the role that grants NODE, without one.
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
        Call[] calls;
        mapping(uint32 seat => bool) approvals;
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
        if (state == State.Open && _approvalsOf(p) >= needed()) _decide(id, p);
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
        if (state == State.Open || _approvalsOf(p) >= needed()) return;
        p.readyAt = 0;
        emit Reopened(id);
        for (uint256 i = 0; i < p.calls.length; ++i) {
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
        uint256 approvals = _approvalsOf(p);
        if (approvals < needed()) revert TooFewApprovals(id, approvals, needed());
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
        _take(holder, false);
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
            if (!_isSeated(holders[i])) _take(holders[i], true);
        }
    }

    /// @inheritdoc ICouncil
    function vacate(address holder) external restricted {
        uint256 place = _placeOf(holder);
        if (!_seats[place].isElected) revert NotARepresentative(holder);
        _lose(place);
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
        return Proposal({
            state: _stateOf(p),
            expiresAt: uint64(_expiryOf(p)),
            readyAt: p.readyAt,
            approvals: _approvalsOf(p),
            needed: needed(),
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
            // slither-disable-next-line unused-return
            AUTHORITY.schedule(p.calls[i].target, p.calls[i].data, readyAt);
        }
    }

    function _take(address holder, bool isElected) private {
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

    function _approvalsOf(Record storage p) private view returns (uint256 count) {
        for (uint256 i = 0; i < _seats.length; ++i) {
            if (p.approvals[_seats[i].number]) ++count;
        }
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
        if (data.length < 4 || !isLawful || _delayOf(target, selector) == 0) revert NotForTheCouncil(target, selector);
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
