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
    /// Periods of the day, a bit each, whose values the metering operator has put in the place of readings: its own word for how
    /// good they are.
    uint96 substituted;
}

/// A reading sheet as it is brought: signed by the meter.
struct SignedReadings {
    ReadingSheet sheet;
    /// The signature in 64 bytes, as in IOrderSheets.sol.
    bytes32 r;
    bytes32 vs;
}

/// The latest reading of a meter in time, of the member whose it is.
struct Meter {
    uint64 importWh;
    uint64 exportWh;
    /// Unix time of that reading, and from which on its advance is accounted for.
    uint40 readAt;
    uint40 since;
    /// Number of the member.
    uint32 id;
    /// Whether so many days in a row were estimated that the member may not order.
    bool isSilent;
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
    /// @param leftOut strips of the sheet, a bit each from its first one on, whose registers cannot be right: they count as not read.
    /// @param substituted periods of the day, a bit each, whose values the metering operator says it has put in.
    event ReadingsAccepted(
        uint32 indexed id,
        uint32 indexed day,
        uint8 firstStrip,
        uint40 sequence,
        bool isCorrection,
        bytes registers,
        uint256 leftOut,
        uint96 substituted
    );

    /// A sheet brought in a batch was refused as a whole.
    /// @param meter key that the sheet names; whether it signed, the reason tells.
    /// @param sequence of the sheet.
    /// @param reason the error, ABI encoded.
    event ReadingsRejected(address indexed meter, uint32 indexed day, uint40 sequence, bytes reason);

    /// More energy in one period than the connection is for. It counts as it was read.
    /// @param imported what the import register advanced by, Wh.
    /// @param exported what the export register advanced by, Wh.
    event BeyondConnection(uint32 indexed id, uint32 indexed day, uint16 slot, uint256 imported, uint256 exported);

    /// No reading of the strip came in time: all that the connection takes in stands in its place; for the boundary meter
    /// the most that was lost in any period yet.
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

    /// In no strip of the sheet can its registers be right: they run backwards, or advance by more than twice what the connection
    /// carries.
    error NothingPlausible(uint32 id, uint256 firstStrip);

    /// The registers have moved by more than twice what the connection carries in that time, or back.
    /// @param advance of the import register, or of the export register, Wh.
    /// @param most what is plausible, Wh.
    error ImplausibleAdvance(uint32 id, int256 advance, uint256 most);

    /// A strip before the meter's last reading is not read, and its day is not closed.
    error StripStillOpen(uint32 id, uint256 day, uint256 strip);

    /// The opening reading does not continue the last one: it differs, or is lower where time has passed between the
    /// two. Or a sheet for earlier periods ends above the last reading.
    /// @param register opening reading, or closing reading of earlier periods, Wh.
    /// @param last the same register at the latest reading, Wh.
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

    /// @return the latest reading of the meter with that key for a member; zeros if there is none.
    function meterOf(uint32 id, address meter) external view returns (Meter memory);

    /// @notice Reverts if a strip of a day that is not final is not read, between these unix times.
    function requireRead(uint32 id, uint256 since, uint256 until) external view;

    /// @return whether every member with a meter has a value for every period of the day (the boundary meter need not).
    function isClosed(uint256 day) external view returns (bool);

    /// @return members 1 to this number are part of the closed day.
    function membersOf(uint256 day) external view returns (uint32);

    /// @return rises with every correction after closing that changes a value.
    function versionOf(uint256 day) external view returns (uint256);

    /// @return net energy of `count` members from `firstId` on per strip, six signed lanes (Strips.sol) without a day;
    /// no strips at all for members without a reading. Estimated strips have their flags set. The grid operator's is what
    /// the boundary meter has beyond all others: the losses. The wholesale desk's has what it nominated (IExchange), which it delivers by definition.
    function netOf(uint256 day, uint32 firstId, uint256 count) external view returns (uint256[][] memory);

    /// @return strips of the day in which the boundary meter counts, a bit each.
    /// @return estimated of the others those in which somebody is estimated: there the area's energy is not known.
    function boundaryOf(uint256 day) external view returns (uint256 strips, uint256 estimated);

    /// @return net per slot, Wh: sum over all members, which is the boundary meter's value where there is one, and what
    /// the wholesale desk nominated.
    function areaNet(uint256 day) external view returns (int256[] memory net);
}
