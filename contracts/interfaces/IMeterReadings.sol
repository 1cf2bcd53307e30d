// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// Register readings of one meter for consecutive periods: one message, one signature (EIP-712).
struct ReadingSheet {
    address meter;
    uint32 day;
    uint8 firstStrip;
    /// Higher than that of the meter's sheet before for this day.
    uint40 sequence;
    /// 16 bytes a reading, cumulative import and export registers in Wh (uint64 each, big endian): the opening reading,
    /// then one at the end of each period; whole strips of six periods.
    bytes registers;
}

struct SignedReadings {
    ReadingSheet sheet;
    /// The signature in 64 bytes, as in ICallAuction.sol.
    bytes32 r;
    bytes32 vs;
}

/// @title Meter readings
/// @notice One value per member and period, from signed cumulative registers (rule 12). What is missing at the deadline is estimated
/// and flagged; corrections are taken until their window closes, the first value stays on record in the events.
interface IMeterReadings {
    event ReadingsAccepted(
        uint32 indexed id, uint32 indexed day, uint8 firstStrip, uint40 sequence, bool isCorrection, bytes registers
    );
    event ReadingsRejected(address indexed meter, uint32 indexed day, uint40 sequence, bytes reason);
    /// A strip for which no reading came in time, as six flagged signed lanes.
    event Estimated(uint32 indexed id, uint32 indexed day, uint8 strip, uint256 word);
    /// When the day was closed, the sum of the meters and the boundary meter differed by more than the market's margin, Wh.
    event BoundaryMismatch(uint32 indexed day, uint16 indexed slot, int256 boundary, int256 sum);
    event MeteringClosed(uint32 indexed day, uint32 members);

    error BadRegisters(uint256 bytesGiven);
    error StripOutOfRange(uint256 firstStrip, uint256 strips, uint256 stripsPerDay);
    error NotSignedByMeter(address meter, address signer);
    error StaleReading(uint32 id, uint256 sequence, uint256 last);
    error ReadingFromFuture(uint256 endsAt, uint256 time);
    error CorrectionWindowClosed(uint256 day, uint256 closedAt, uint256 time);
    /// A register went backwards.
    error NotMonotone(uint256 slot, uint256 register, uint256 before);
    /// More energy in one period than the connection carries, Wh.
    error ReadingExceedsCapacity(uint32 id, uint256 slot, uint256 energy, uint256 capacity);
    /// The opening reading does not continue the last one. (A sheet for periods read before is a correction and is not compared.)
    error RegisterGap(uint32 id, uint256 register, uint256 last);
    error DeadlineNotReached(uint256 day, uint256 deadline, uint256 time);
    error AlreadyClosed(uint256 day);
    error ReadingsNotClosed(uint256 day);
    error NoMembersAsked();
    error ReadingBatchOutOfGas(uint256 index);
    error ReadingDayIsOver(uint256 day);

    /// @notice Takes a batch of reading sheets; each is accepted, or rejected with its reason on record, for itself.
    function submit(SignedReadings[] calldata sheets) external;

    /// @notice Takes one sheet, or reverts with the reason.
    function enter(SignedReadings calldata signed) external;

    /// @notice After the deadline, and after the day before is closed: goes through `count` more members and estimates what is missing. Anyone may call.
    function close(uint32 day, uint256 count) external;

    /// @return whether every member with a meter has a value for every period of the day (the boundary meter need not).
    function isClosed(uint256 day) external view returns (bool);

    /// @return members 1 to this number are part of the closed day.
    function membersOf(uint256 day) external view returns (uint32);

    /// @return rises with every correction after closing.
    function versionOf(uint256 day) external view returns (uint256);

    /// @return net energy of `count` members from `firstId` on per strip, six signed lanes (Strips.sol) without a day; no strips
    /// at all for members without a reading. The grid operator's is what the boundary meter has beyond all others: the losses.
    /// The wholesale desk's has what it nominated (IExchange), which it delivers by definition.
    function netOf(uint256 day, uint32 firstId, uint256 count) external view returns (uint256[][] memory);

    /// @return net per slot, Wh: sum over all members, which is the boundary meter's value where there is one, and what the
    /// wholesale desk nominated.
    function areaNet(uint256 day) external view returns (int256[] memory net);
}
