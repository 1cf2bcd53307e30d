// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// One call that a proposal makes, in the council's name.
struct Call {
    address target;
    bytes data;
}

/// A seat of the council: an institution's, or a representative's whom the participants elected.
struct Seat {
    address holder;
    bool isElected;
    /// Seats are numbered as they are taken: whoever loses one and comes back has another.
    uint32 number;
    /// Key of its node, which seals blocks; zero until it is announced.
    address sealer;
}

/// Expired: not decided within the lifetime, or decided and not executed in time.
enum State {
    None,
    Open,
    Decided,
    Executed,
    Expired
}

/// A proposal as it stands.
struct Proposal {
    State state;
    /// Unix time until which it can be approved, or executed once it is decided.
    uint64 expiresAt;
    /// Unix time from which it can be executed; 0 before it is decided.
    uint64 readyAt;
    /// Approvals of those who have a seat now, and how many it takes.
    uint256 approvals;
    uint256 needed;
    Call[] calls;
}

/// @title Council
/// @notice Rule 13: the authorised nodes decide by m of n, with a delay and a public record. A decision is a list of calls, made all or
/// not at all; the delay is the authority's, which gives the council its roles with one.
interface ICouncil {
    event SeatTaken(uint32 indexed number, address indexed holder, bool isElected);
    event SeatLost(uint32 indexed number, address indexed holder);
    event ThresholdSet(uint256 threshold);
    event SealerAnnounced(address indexed holder, address sealer);
    event Proposed(uint256 indexed id, address indexed by, Call[] calls);
    event Approved(uint256 indexed id, address indexed by);
    event ApprovalWithdrawn(uint256 indexed id, address indexed by);
    /// The proposal has its approvals, and can be executed from `readyAt` on.
    event Decided(uint256 indexed id, uint64 readyAt);
    /// The proposal was decided and has lost an approval it needs: it is open again.
    event Reopened(uint256 indexed id);
    event Executed(uint256 indexed id);

    error NotSeated(address caller);
    error AlreadySeated(address holder);
    error NotAnInstitution(address holder);
    error NotARepresentative(address holder);
    /// The zero address and the council itself take no seat.
    error CannotBeSeated(address holder);
    error TooManySeats(uint256 limit);
    /// The last institution stays: somebody has to be able to decide.
    error LastInstitution(address holder);
    /// A proposal makes between one call and so many.
    error BadCallCount(uint256 count, uint256 limit);
    /// Not even the council does that: the authority lets it not, or it could stop a settlement, give its power away or lose it.
    error NotForTheCouncil(address target, bytes4 selector);
    error WrongState(uint256 id, State state);
    error AlreadyApproved(uint256 id, address holder);
    error NotApproved(uint256 id, address holder);
    error NotReady(uint256 id, uint256 readyAt);
    /// Approvals of those seated now; some had lost their seats since it was decided.
    error TooFewApprovals(uint256 id, uint256 approvals, uint256 needed);
    /// The call of that index reverted with that reason; none of the proposal's calls was made.
    error CallFailed(uint256 id, uint256 index, bytes reason);

    /// @notice Proposes calls to be made in this order; only for a seat, whose approval it is as well. The authority knows a decided call
    /// by its content: while one is waiting, no other proposal with the same call can be decided.
    /// @return id its number, the next one.
    function propose(Call[] calldata calls) external returns (uint256 id);

    /// @notice A seat's approval. The one that makes them enough decides the proposal and begins its delay.
    function approve(uint256 id) external;

    /// @notice Takes a seat's approval back, until execution. A decided proposal that has too few then is open again, and its delay
    /// begins anew with the next decision.
    function withdrawApproval(uint256 id) external;

    /// @notice Makes the calls of a decided proposal once its delay is over; anyone may call. Approvals are counted once more: only
    /// those of seats that are still held.
    function execute(uint256 id) external;

    /// @notice Says which key the caller's node seals blocks with; operators follow (`ape run sealers`).
    function announceSealer(address sealer) external;

    /// @notice Gives an institution a seat, which may pause the markets from then on; only by a decision.
    function seat(address holder) external;

    /// @notice Takes an institution's seat; only by a decision.
    function unseat(address holder) external;

    /// @notice Sets how many approvals it takes, see `needed`; only by a decision.
    function setThreshold(uint256 threshold) external;

    /// @notice Seats those elected in place of the representatives before; who is among both keeps its seat. For the elections.
    function seatRepresentatives(address[] calldata holders) external;

    /// @notice Takes the seat of a representative who has left the market. For the elections.
    function vacate(address holder) external;

    /// @return the approvals a proposal takes: the threshold, but never fewer than more than half of the seats held, so that no minority
    /// decides, and never more than all of them, so that vacant seats stop nothing.
    function needed() external view returns (uint256);

    /// @return all seats that are held.
    function seats() external view returns (Seat[] memory);

    /// @return number of proposals ever made, which is also the highest number.
    function proposalCount() external view returns (uint256);

    /// @return the proposal as it stands.
    function proposal(uint256 id) external view returns (Proposal memory);

    /// @return whether the holder's seat has approved the proposal.
    function hasApproved(uint256 id, address holder) external view returns (bool);
}
