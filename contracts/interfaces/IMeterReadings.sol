// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// Register readings of one meter for consecutive periods: one message, one signature (EIP-712).
struct ReadingSheet {
    /// Address of the key that signs.
    address meter;
    uint32 day;
    /// Strip with which it begins; the others follow.
    uint8 firstStrip;
    /// Higher than that of the meter's sheet before for any of its strips; 1 to 16,382. Sheets for different strips may be
    /// brought in any order.
    uint40 sequence;
    /// 16 bytes a reading, cumulative import and export registers in Wh (uint64 each, big endian): the opening reading,
    /// then one at the end of each period; whole strips of six periods.
    bytes registers;
}

/// A reading sheet as it is brought: signed by the meter.
struct SignedReadings {
    ReadingSheet sheet;
    /// The signature in 64 bytes, as in ICallAuction.sol.
    bytes32 r;
    bytes32 vs;
}

/// @title Meter readings
/// @notice One value per member and period, from signed cumulative registers (rule 12). What is missing at the deadline
/// is estimated and flagged; corrections are taken until their window closes, the first value stays on record in the
/// events.
interface IMeterReadings {
    /// A reading sheet was taken. Its values replace what stood for these periods before.
    /// @param firstStrip strip with which it begins; the others follow.
    /// @param sequence of the sheet.
    /// @param isCorrection whether any of its strips had values before, read or estimated.
    /// @param registers 16 bytes a reading, import and export in Wh (uint64 each, big endian): the opening reading,
    /// then one at the end of each period.
    event ReadingsAccepted(
        uint32 indexed id, uint32 indexed day, uint8 firstStrip, uint40 sequence, bool isCorrection, bytes registers
    );

    /// A sheet brought in a batch was refused as a whole.
    /// @param meter key that the sheet names; whether it signed, the reason tells.
    /// @param sequence of the sheet.
    /// @param reason the error, ABI encoded.
    event ReadingsRejected(address indexed meter, uint32 indexed day, uint40 sequence, bytes reason);

    /// No reading of the strip came in time: values of the day before stand in its place, or zero.
    /// @param word six signed lanes with their flags set (Strips.sol), Wh, consumption positive; without a day.
    event Estimated(uint32 indexed id, uint32 indexed day, uint8 strip, uint256 word);

    /// When the day was closed, the boundary meter and the sum of all others differed by more than the market's margin.
    /// @param boundary net energy at the boundary meter, Wh, import positive.
    /// @param sum net energy of all other meters, Wh, consumption positive.
    event BoundaryMismatch(uint32 indexed day, uint16 indexed slot, int256 boundary, int256 sum);

    /// Every member with a meter has a value for every period of the day; the day can be settled.
    /// @param members members 1 to this number are part of it.
    event MeteringClosed(uint32 indexed day, uint32 members);

    /// The registers are not an opening reading and whole strips of six, 16 bytes each.
    /// @param bytesGiven length of the registers.
    error BadRegisters(uint256 bytesGiven);

    /// The sheet reaches beyond the day.
    /// @param firstStrip strip with which it begins.
    /// @param strips strips that it has.
    /// @param stripsPerDay strips of a day.
    error StripOutOfRange(uint256 firstStrip, uint256 strips, uint256 stripsPerDay);

    /// The sheet is not signed by the meter it names.
    error NotSignedByMeter(address meter, address signer);

    /// The sheet was brought already, or a later one for a strip of it was; it is refused as a whole.
    /// @param strip first strip for which it comes too late.
    /// @param sequence of the sheet.
    /// @param last sequence of the member's last sheet for that strip, 0 if there is none.
    error StaleReading(uint32 id, uint256 strip, uint256 sequence, uint256 last);

    /// No sheet has so high a sequence: strips of a day are counted by themselves.
    /// @param highest highest sequence.
    error SequenceTooHigh(uint256 sequence, uint256 highest);

    /// The last period of the sheet is not over.
    /// @param endsAt unix time at which it is.
    error ReadingFromFuture(uint256 endsAt, uint256 time);

    /// Corrections of the day are over: no reading is taken any more.
    /// @param closedAt unix time at which they were.
    error CorrectionWindowClosed(uint256 day, uint256 closedAt, uint256 time);

    /// The day is being settled, on the readings as they are: bring the sheet again once it is, which anybody can bring
    /// about (Settlement.settle). Corrections are taken until they close.
    error DayBeingSettled(uint256 day);

    /// A register went backwards.
    /// @param register reading at the end of the slot, Wh.
    /// @param before reading at its start, Wh.
    error NotMonotone(uint256 slot, uint256 register, uint256 before);

    /// More energy in one period than the connection carries.
    /// @param energy imported, or exported, Wh.
    /// @param capacity what the connection carries that way, Wh per period.
    error ReadingExceedsCapacity(uint32 id, uint256 slot, uint256 energy, uint256 capacity);

    /// The opening reading does not continue the last one: it differs, or is lower where time has passed between the
    /// two. (A sheet for periods read before is a correction and is not compared.)
    /// @param register opening reading, Wh.
    /// @param last the same register at the end of the last sheet, Wh.
    error RegisterGap(uint32 id, uint256 register, uint256 last);

    /// Readings of the day may still come in time.
    /// @param deadline unix time until which they may.
    error DeadlineNotReached(uint256 day, uint256 deadline, uint256 time);

    /// The day's metering is closed.
    error AlreadyClosed(uint256 day);
    /// The day's metering is not closed, or its records have made room for another day.
    error ReadingsNotClosed(uint256 day);
    /// The call is to go through no member at all.
    error NoMembersAsked();

    /// A batch ran out of gas; nothing of it counts.
    /// @param index place in the batch of the sheet at which it did, from 0.
    error ReadingBatchOutOfGas(uint256 index);

    /// The day is final and its records have made room for another.
    error ReadingDayIsOver(uint256 day);

    /// @notice Takes a batch of reading sheets; each is accepted, or rejected with its reason on record, for itself. A batch
    /// with a correction of a day that is being settled reverts as a whole (DayBeingSettled).
    function submit(SignedReadings[] calldata sheets) external;

    /// @notice Takes one sheet, or reverts with the reason.
    function enter(SignedReadings calldata signed) external;

    /// @notice After the deadline, and after the day before is closed: goes through `count` more members and estimates
    /// what is missing. Anyone may call.
    function close(uint32 day, uint256 count) external;

    /// @return whether every member with a meter has a value for every period of the day (the boundary meter need not).
    function isClosed(uint256 day) external view returns (bool);

    /// @return members 1 to this number are part of the closed day.
    function membersOf(uint256 day) external view returns (uint32);

    /// @return rises with every correction after closing that changes a value.
    function versionOf(uint256 day) external view returns (uint256);

    /// @return net energy of `count` members from `firstId` on per strip, six signed lanes (Strips.sol) without a day;
    /// no strips at all for members without a reading. The grid operator's is what the boundary meter has beyond all
    /// others: the losses. The wholesale desk's has what it nominated (IExchange), which it delivers by definition.
    function netOf(uint256 day, uint32 firstId, uint256 count) external view returns (uint256[][] memory);

    /// @return strips of the day in which the boundary meter counts, a bit each.
    function boundaryOf(uint256 day) external view returns (uint256 strips);

    /// @return net per slot, Wh: sum over all members, which is the boundary meter's value where there is one, and what
    /// the wholesale desk nominated.
    function areaNet(uint256 day) external view returns (int256[] memory net);
}
