// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// What a member's meter counted on a final day, once it is known better.
struct LateReading {
    /// Number of the member.
    uint32 id;
    uint32 day;
    /// Number of the late reconciliation of this member and day, from 1 on: each counts once, in their order.
    uint8 run;
    /// Net energy of the day's strips, six signed lanes each (Strips.sol), without a day and without flags.
    bytes32[] net;
}

/// What is on record of the member and day, and the proof of it. All of it follows from the events.
struct LateRecord {
    /// What the member contracted, six signed lanes a strip.
    uint256[] contracted;
    /// What counts as metered until now: as settled, or by the last late reconciliation.
    uint256[] metered;
    /// Hash of the strips that the day was settled on, which the member's leaf has.
    bytes32 settled;
    /// The day's prices by strip (Billing.sol), then its penalty rates by strip if it has any.
    uint256[] prices;
    /// From the member's leaf to the root of the day's tree.
    bytes32[] proof;
}

/// @title Late reconciliation
/// @notice Settles one member's day once more after it has become final, at the prices on record (rule 12.7). What it proves
/// itself by is the one word that the settlement has left of the day.
interface ILateReconciliation {
    /// A member's day was settled late; positive amounts are paid by the member, negative ones to it.
    /// @param run number of the late reconciliation of this member and day, from 1.
    /// @param byMeter whether its meter signed; else the grid operator stated it.
    /// @param toGrid money units to the grid operator, for strips in which the boundary meter counts.
    /// @param toSupplier money units to the fallback supplier, for the other strips.
    /// @param net what counts as metered from now on, six signed lanes a strip.
    event Reconciled(
        uint32 indexed id, uint32 indexed day, uint8 run, bool byMeter, int256 toGrid, int256 toSupplier, bytes32[] net
    );

    /// A final day's estimates are taken back for a true-up (rule 12.9): they count as nothing from now on.
    /// @param strips estimated strips of it.
    /// @param toGrid money units that the true-up is to post to the grid operator for it; negative to the member.
    /// @param toSupplier the same for the fallback supplier.
    event EstimatesTakenBack(uint32 indexed id, uint32 indexed day, uint32 strips, int256 toGrid, int256 toSupplier);

    /// What a meter's registers showed of its gaps is settled; positive amounts are paid by the member.
    /// @param day last day with estimates.
    /// @param importWh import of all gaps together, Wh.
    /// @param exportWh export.
    /// @param dearest highest price that anybody who was short paid in an estimated strip, penalty included, units/Wh.
    /// @param lowest lowest price that anybody who was long received, penalty deducted, units/Wh.
    /// @param toGrid money units to the grid operator, what is taken back included.
    /// @param toSupplier money units to the fallback supplier.
    event TruedUp(
        uint32 indexed id,
        uint32 indexed day,
        int256 importWh,
        int256 exportWh,
        int256 dearest,
        int256 lowest,
        int256 toGrid,
        int256 toSupplier
    );

    /// The council has allowed a statement of the grid operator.
    /// @param statement its hash as it is signed.
    event StatementAllowed(bytes32 indexed statement);

    /// The day is not final yet: a correction reaches it.
    error NotFinal(uint256 day, uint256 lastFinal);
    /// The day is too long ago.
    /// @param earliest first day that can still be settled late.
    error TooLongAgo(uint256 day, uint256 earliest);
    /// Not the next late reconciliation of this member and day, or one more than there can be.
    /// @param next number of the next one.
    error WrongRun(uint32 id, uint256 day, uint256 run, uint256 next);
    /// The market's own members, and wholesale desks, are not settled late, nor who had no meter on that day. Of the grid operator
    /// only its losses in strips in which its meter did not count are, by the council's word.
    error NotReconciled(uint32 id, uint256 day);
    /// Signed by a key that is not the member's meter's.
    error NotSignedByItsMeter(uint32 id, address signer);
    /// Signed by a key that is not that account's.
    error NotSignedBy(address account, address signer);
    /// Neither the member nor the council has agreed to this statement.
    error NotAgreed(bytes32 statement);
    /// Not as many strips as the day has.
    error WrongLength(uint256 strips, uint256 wanted);
    /// More than the connection carries, or not six signed lanes.
    error NotWithinConnection(uint32 id, uint256 strip);
    /// The same values again.
    error NothingChanges(uint32 id, uint256 day);
    /// Not what is on record for the day.
    error NotOnRecord(uint32 id, uint256 day);

    /// No strip of the day is estimated, or none that this meter's registers will show; or there is nothing to true up.
    error NothingEstimated(uint32 id, uint256 day);
    /// The meter has not read since.
    error NotReadSince(uint32 id, uint256 day);
    /// As many records as days.
    error RecordMissing(uint256 days_, uint256 records);
    /// What a true-up has settled is not settled again.
    error AlreadyTruedUp(uint32 id, uint256 day, uint256 strip);

    /// @notice Settles what the registers of a member's meter showed of its gaps, once they are shown, at prices that favour nobody's
    /// silence. Anyone may bring it, all estimated days in any order, in one call or several: the last one posts.
    /// @param days_ final days with estimates; none where only the posting is left.
    function trueUp(uint32 id, uint32[] calldata days_, LateRecord[] calldata records) external;

    /// @notice Settles a member's day by what its meter signed. Anyone may bring it.
    function reconcile(LateReading calldata reading, LateRecord calldata record, bytes calldata meterSignature) external;

    /// @notice Settles a member's day by what the grid operator and the member stated, or the council has allowed. Anyone may bring it.
    /// The council alone can do so where the fallback supplier has the other side, or would advance what one of the two cannot pay.
    /// @param operatorSignature of the statement; empty where the council has allowed it.
    /// @param memberSignature of the same statement; empty where the council has allowed it.
    function reconcileStated(
        LateReading calldata reading,
        LateRecord calldata record,
        bytes calldata operatorSignature,
        bytes calldata memberSignature
    ) external;

    /// @notice Allows a statement of the grid operator. Only the council.
    function allow(bytes32 statement) external;

    /// @return number of late reconciliations that a member's day has had.
    function runsOf(uint32 id, uint256 day) external view returns (uint8);

    /// @return strips of a member's day that a true-up has settled, a bit each.
    function truedUpOf(uint32 id, uint256 day) external view returns (uint256);

    /// @notice Reverts unless the day is final and can still be settled late, and the record is all that the day has left of the
    /// member: what counts as metered is what counts now.
    function requireOnRecord(uint32 id, uint256 day, LateRecord calldata record) external view;

    /// @return the statement's hash as it is signed (EIP-712).
    function statementOf(LateReading calldata reading) external view returns (bytes32);
}
