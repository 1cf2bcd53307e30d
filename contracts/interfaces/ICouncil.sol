// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// One call that a proposal makes, in the council's name.
struct Call {
    /// Contract that is called.
    address target;
    /// Function and arguments, ABI encoded.
    bytes data;
}

/// A seat of the council: an institution's, or a representative's whom the participants elected.
struct Seat {
    /// Address that decides with it.
    address holder;
    /// Whether it is a representative's.
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
    /// Approvals that the institutions' seats, and the representatives', still lack to be more than half of them.
    uint256 missingInstitutions;
    uint256 missingRepresentatives;
    /// In the order in which they are made.
    Call[] calls;
}

/// @title Council
/// @notice Rule 13: the authorised nodes decide by m of n, with a delay and a public record. A decision is a list of
/// calls, made all or not at all; the delay is the authority's, which gives the council its roles with one. Institutions
/// and representatives decide together; only what lets a paused market go on has no delay, and takes m of n alone.
interface ICouncil {
    /// Somebody has a seat from now on, and is a node.
    /// @param number of the seat; none is given twice.
    /// @param holder address that decides with it.
    /// @param isElected whether it is a representative's; else it is an institution's.
    event SeatTaken(uint32 indexed number, address indexed holder, bool isElected);

    /// A seat is gone, and its holder is no node any more.
    /// @param number of the seat.
    /// @param holder address that had it.
    event SeatLost(uint32 indexed number, address indexed holder);

    /// The holder of a seat may not pause the markets any more; it keeps the seat.
    /// @param number of the seat.
    /// @param holder address that has it.
    event PauseTaken(uint32 indexed number, address indexed holder);

    /// A proposal takes another number of approvals from now on.
    /// @param threshold approvals asked for; `needed` says what that comes to with the seats held.
    event ThresholdSet(uint256 threshold);

    /// A seat says which key its node seals blocks with.
    /// @param holder address that has the seat.
    /// @param sealer address of that key.
    event SealerAnnounced(address indexed holder, address sealer);

    /// A proposal is made.
    /// @param id number of the proposal, from 1.
    /// @param by address of the seat that made it.
    /// @param calls what it would do, in this order.
    event Proposed(uint256 indexed id, address indexed by, Call[] calls);

    /// A seat approves a proposal.
    /// @param id number of the proposal, from 1.
    /// @param by address of the seat.
    event Approved(uint256 indexed id, address indexed by);

    /// A seat takes its approval back.
    /// @param id number of the proposal, from 1.
    /// @param by address of the seat.
    event ApprovalWithdrawn(uint256 indexed id, address indexed by);

    /// The proposal has the approvals it needs; its delay begins.
    /// @param id number of the proposal, from 1.
    /// @param readyAt unix time from which it can be executed.
    event Decided(uint256 indexed id, uint64 readyAt);

    /// The proposal was decided and has lost an approval it needs: it is open again.
    /// @param id number of the proposal, from 1.
    event Reopened(uint256 indexed id);

    /// All calls of the proposal are made, in this transaction.
    /// @param id number of the proposal, from 1.
    event Executed(uint256 indexed id);

    /// The address has no seat.
    /// @param caller who would decide or announce, or who was to lose its seat.
    error NotSeated(address caller);

    /// The address has a seat.
    /// @param holder who was to have one.
    error AlreadySeated(address holder);

    /// The seat is a representative's, which the council does not take.
    /// @param holder who has it.
    error NotAnInstitution(address holder);

    /// The seat is an institution's, which the elections do not take.
    /// @param holder who has it.
    error NotARepresentative(address holder);

    /// The zero address and the council itself take no seat.
    /// @param holder who was to have one.
    error CannotBeSeated(address holder);

    /// Institutions have all seats there are for them.
    /// @param limit seats that institutions may have.
    error TooManySeats(uint256 limit);

    /// The last institution stays: somebody has to be able to decide.
    /// @param holder address of that institution.
    error LastInstitution(address holder);

    /// A proposal makes at least one call, and not too many.
    /// @param count calls proposed.
    /// @param limit calls that a proposal may make.
    error BadCallCount(uint256 count, uint256 limit);

    /// Not even the council makes this call: the authority does not let it, or lets it without a delay, or it could
    /// stop a settlement, give its power away or lose it.
    /// @param target contract that would be called.
    /// @param selector the function's, first four bytes of the call.
    error NotForTheCouncil(address target, bytes4 selector);

    /// The proposal is in a state in which this cannot be done.
    /// @param id number of the proposal, from 1.
    /// @param state its state now.
    error WrongState(uint256 id, State state);

    /// The seat has approved the proposal.
    /// @param id number of the proposal, from 1.
    /// @param holder address of the seat.
    error AlreadyApproved(uint256 id, address holder);

    /// The seat has not approved the proposal: there is nothing to take back.
    /// @param id number of the proposal, from 1.
    /// @param holder address of the seat.
    error NotApproved(uint256 id, address holder);

    /// The proposal's delay is not over.
    /// @param id number of the proposal, from 1.
    /// @param readyAt unix time from which it can be executed.
    error NotReady(uint256 id, uint256 readyAt);

    /// Some of those who approved the proposal have lost their seats since it was decided.
    /// @param id number of the proposal, from 1.
    /// @param approvals approvals of seats that are held now.
    /// @param needed approvals that it takes.
    error TooFewApprovals(uint256 id, uint256 approvals, uint256 needed);

    /// The proposal has approvals enough, but not of both kinds of seats: more than half of each approve.
    /// @param id number of the proposal, from 1.
    /// @param institutions approvals that the institutions' seats lack.
    /// @param representatives approvals that the representatives' seats lack.
    error OneSided(uint256 id, uint256 institutions, uint256 representatives);

    /// A call of the proposal reverted; none of its calls was made.
    /// @param id number of the proposal, from 1.
    /// @param index place of the call in the proposal, from 0.
    /// @param reason what it reverted with, ABI encoded.
    error CallFailed(uint256 id, uint256 index, bytes reason);

    /// @notice Proposes calls to be made in this order; only for a seat, whose approval it is as well. The authority
    /// knows a decided call by its content: while one is waiting, no other proposal with the same call can be decided.
    /// @return id its number, the next one.
    function propose(Call[] calldata calls) external returns (uint256 id);

    /// @notice A seat's approval. The one that makes them enough decides the proposal and begins its delay.
    function approve(uint256 id) external;

    /// @notice Takes a seat's approval back, until execution. A decided proposal that has too few then is open again,
    /// and its delay begins anew with the next decision.
    function withdrawApproval(uint256 id) external;

    /// @notice Makes the calls of a decided proposal once its delay is over; anyone may call. Approvals are counted
    /// once more: only those of seats that are still held.
    function execute(uint256 id) external;

    /// @notice Says which key the caller's node seals blocks with; operators follow (`ape run sealers`).
    function announceSealer(address sealer) external;

    /// @notice Gives an institution a seat, which may pause the markets from then on; only by a decision.
    function seat(address holder) external;

    /// @notice Takes an institution's seat; only by a decision.
    function unseat(address holder) external;

    /// @notice Takes from a seat, whoever has it, the right to pause the markets, until it takes another seat; only by a
    /// decision, which has no delay.
    function takePause(address holder) external;

    /// @notice Sets how many approvals it takes, see `needed`; only by a decision.
    function setThreshold(uint256 threshold) external;

    /// @notice Seats those elected in place of the representatives before; who is among both keeps its seat. For the
    /// elections.
    function seatRepresentatives(address[] calldata holders) external;

    /// @notice Takes the seat of a representative who has left the market. For the elections.
    function vacate(address holder) external;

    /// @notice Gives a representative's seat a number of its own under its new account: what the old one has approved counts no more,
    /// and a pause that was taken from it stays taken. For the elections.
    function moveSeat(address holder, address to) external;

    /// @return the approvals a proposal takes of all seats together: the threshold, but never fewer than more than half of the seats held, so
    /// that no minority decides, and never more than all of them, so that vacant seats stop nothing.
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
