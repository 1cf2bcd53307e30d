// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ReadingSheet} from "./IMeterReadings.sol";

/// What a meter's feed-in comes from; `Unknown` until it is noted.
enum Source {
    Unknown,
    Sun,
    Wind,
    Water,
    Biomass,
    CombinedHeat,
    Storage,
    Other
}

/// A meter of a member that has, or had, several.
struct Life {
    /// Number of the member; 0: the meter is not known here.
    uint32 id;
    /// Unix times at which its first period begins and its last one ends; 0 and 2^40 - 1 if it has none.
    uint40 first;
    uint40 last;
    /// Unix time of its latest reading since the member has several.
    uint40 readAt;
    /// Whether its opening registers are on record, and its closing ones.
    bool isInstalled;
    bool isRemoved;
    /// Whether the closing registers are yet to be accounted for.
    bool isEnding;
    /// Registers at its installation, Wh.
    uint64 openingImport;
    uint64 openingExport;
    /// Registers at its removal, Wh.
    uint64 closingImport;
    uint64 closingExport;
}

/// What a sheet of one of several meters comes to.
struct Taken {
    /// By strip six signed lanes, the sum of all meters that live in it; 0 as long as one of them is not read.
    uint256[] totals;
    /// What of the registers is billed more than before, Wh.
    int256 importWh;
    int256 exportWh;
    /// A meter whose closing registers are to be accounted for now; zero for none.
    address ended;
}

/// What a member's registers advanced by without that a period was billed for it, Wh.
struct Unbilled {
    int64 importWh;
    int64 exportWh;
    /// Strips that are estimated instead.
    uint32 strips;
    /// Last day that has any, and how many days in a row had.
    uint32 lastEstimated;
    uint8 inRow;
    /// Whether something was stated late before the register showed it: as much comes off what the register will show.
    bool isAhead;
    /// Unix time from which on it is accounted for; 0: nothing has been read yet.
    uint40 since;
    int64 importAhead;
    int64 exportAhead;
}

/// @title Meters
/// @notice What is known of meters beside their readings. Of members that have several, beside or after one another (rule 12.10):
/// when each of them lives, with which registers it begins and ends, and what it has read of strips in which others live
/// too. Of all members: what their registers show and no period is billed for (rule 12.9).
interface IMeters {
    /// A member has a further meter.
    /// @param meter address of its key.
    /// @param day delivery day of its first period.
    /// @param slot its first period in that day.
    /// @param importWh its import register before that period, Wh.
    /// @param exportWh its export register, Wh.
    event MeterInstalled(
        uint32 indexed id, address indexed meter, uint32 day, uint16 slot, uint64 importWh, uint64 exportWh
    );

    /// A meter of a member has ended; another one lives on.
    /// @param meter address of its key.
    /// @param day delivery day of the first period without it.
    /// @param slot that period in the day.
    /// @param importWh its import register before that period, Wh.
    /// @param exportWh its export register, Wh.
    event MeterRemoved(
        uint32 indexed id, address indexed meter, uint32 day, uint16 slot, uint64 importWh, uint64 exportWh
    );

    /// It is on record what a meter's feed-in comes from.
    /// @param meter address of its key.
    /// @param source what it is from (IMeters.sol).
    /// @param firstDay delivery day from which on it counts.
    event SourceNoted(uint32 indexed id, address indexed meter, Source source, uint32 firstDay);

    /// What a member's registers show and no period is billed for has changed.
    /// @param importWh import from now on, Wh.
    /// @param exportWh export from now on, Wh.
    /// @param strips strips that are estimated instead.
    event UnbilledChanged(uint32 indexed id, int256 importWh, int256 exportWh, uint32 strips);

    /// The next sheet accepted is of this meter of a member with several.
    /// @param meter address of its key.
    event PartRead(uint32 indexed id, address indexed meter);

    /// There is no such period, readings of its day can be corrected no more, or the meter would end before it has begun.
    /// @param slot period in the day.
    error MomentUnusable(uint256 day, uint256 slot);

    /// The member has no such meter, or it has ended, or no other one lives on.
    error MeterNotRemovable(address meter);

    /// The member has no meter with this key.
    /// @param meter address given.
    error NotItsMeter(uint32 id, address meter);

    /// The member's meters are as many as there may be, until an earlier one can be read no more.
    /// @param limit most there may be.
    error TooManyMeters(uint256 limit);

    /// The sheet has no period in which its meter lives.
    /// @param first unix time at which the meter's first period begins.
    /// @param last unix time at which its last period ends.
    error OutsideItsLife(address meter, uint256 first, uint256 last);

    /// The registers move where their meter does not live, or are not those noted at its installation or removal.
    /// @param importWh import register in the sheet, Wh.
    /// @param exportWh export register in the sheet, Wh.
    error NotAsNoted(address meter, uint256 importWh, uint256 exportWh);

    /// The sheet shows more energy for its periods than the registers advanced by in all: it contradicts the readings beside it.
    /// Restate those in the same sheet.
    /// @param importWh what would be left of the import that is not billed, Wh.
    /// @param exportWh the same of the export.
    error MoreThanRegistersShow(uint32 id, int256 importWh, int256 exportWh);

    /// Not all estimated strips of the meter are given, or it has not read since.
    /// @param strips estimated strips.
    /// @param given strips given.
    error GapNotEnded(uint32 id, uint256 strips, uint256 given);

    /// @notice A further meter of a member, from a period on. A swap is this and `remove` with the same period.
    /// @param slot first period in the day.
    /// @param importWh its import register before it, Wh.
    /// @param exportWh its export register, Wh.
    function install(uint32 id, address meter, uint32 day, uint16 slot, uint64 importWh, uint64 exportWh) external;

    /// @notice The end of one of several meters.
    /// @param slot first period in the day without it.
    /// @param importWh its import register before it, Wh.
    /// @param exportWh its export register, Wh.
    function remove(uint32 id, address meter, uint32 day, uint16 slot, uint64 importWh, uint64 exportWh) external;

    /// @notice Notes what a meter's feed-in comes from, from the day in delivery on (rule 12.6).
    function noteSource(uint32 id, address meter, Source source) external;

    /// @notice Takes a sheet of one of several meters. Only the readings.
    /// @param lanes net energy of its strips, 0 for one that is left out.
    /// @param before words of its strips that counted as read, 0 for others.
    /// @param coverage what the member's readings of the day cover (Coverages.sol).
    /// @param since unix time from which on the meter's registers are accounted for; the largest there is if they are not.
    function take(
        ReadingSheet calldata sheet,
        uint256[] calldata lanes,
        uint256[] calldata before,
        uint256 coverage,
        uint256 since
    ) external returns (Taken memory);

    /// @notice The registers noted at a meter's installation, or at its removal.
    /// @return time unix time of the beginning of the strip in which it was, or of the end; 0 if nothing is noted.
    /// @return importWh its import register, Wh.
    /// @return exportWh its export register, Wh.
    function notedOf(address meter, bool isRemoval)
        external
        view
        returns (uint40 time, uint64 importWh, uint64 exportWh);

    /// @notice A member's registers are accounted for from a unix time on, anew if they were before. Only the readings.
    /// @param isOneOfSeveral whether what others of its meters have read stays in it.
    function beginAccount(uint32 id, uint256 since, bool isOneOfSeveral) external;

    /// @notice What registers show beyond what is billed has changed. Only the readings.
    /// @param replaced strips of the day whose estimates are replaced, a bit each.
    /// @param isAfterGap whether the meter had been silent: what was stated ahead comes off now.
    function addUnbilled(uint32 id, int256 importWh, int256 exportWh, uint256 day, uint256 replaced, bool isAfterGap)
        external;

    /// @notice Strips of a day of a member are estimated. Only the readings.
    /// @param strips a bit each.
    /// @param isRead whether its meter has been read yet.
    /// @return isSilent whether that is for so many days in a row that the member may not order.
    function noteEstimated(uint32 id, uint256 day, uint256 strips, bool isRead) external returns (bool isSilent);

    /// @notice Energy of estimated strips was stated late: it is billed now. Only late reconciliation.
    /// @param isAhead whether the meter has not read since these strips.
    function noteStated(uint32 id, uint256 strips, uint256 importWh, uint256 exportWh, bool isAhead) external;

    /// @notice Takes what is unbilled, to bill it, once the meter has read again. Only late reconciliation.
    /// @param strips all of its estimated strips.
    function takeUnbilled(uint32 id, uint256 strips) external returns (int256 importWh, int256 exportWh);

    /// @return a meter of a member that has several.
    function lifeOf(address meter) external view returns (Life memory);

    /// @return what a meter's feed-in comes from, as noted last.
    function sourceOf(address meter) external view returns (Source);

    /// @return the member's meters that can still be read, ended ones included; none if it has but one.
    function metersOf(uint32 id) external view returns (address[] memory);

    /// @param readAtOfOne unix time until which its only meter has been read; 0: never. Not asked of several.
    /// @return since unix time from which on a member's registers are accounted for; 0 if they are not.
    /// @return readAt unix time until which all of its meters have been read.
    /// @return lastAt unix time until which any of them has.
    function accountOf(uint32 id, uint256 readAtOfOne)
        external
        view
        returns (uint256 since, uint256 readAt, uint256 lastAt);

    /// @return what is unbilled of a member.
    function unbilledOf(uint32 id) external view returns (Unbilled memory);
}
