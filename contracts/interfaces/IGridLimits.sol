// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// What a zone leaves its members in the six periods of a strip of a day.
struct ZoneLimit {
    uint16 zone;
    /// Of the day, from 0 on.
    uint8 strip;
    /// As GridShares packs them, without a day.
    uint256 shares;
}

/// One publication of limits of a day, as it went into the day's record.
struct Publication {
    /// Whether it came after the gate.
    bool isLate;
    ZoneLimit[] limits;
}

/// @title Limits of the network
/// @notice What members may draw and feed in, as shares of their connections by zone and period (rule 10). The dispatcher
/// publishes; a day without a publication has the standing limits of each zone. Nothing waits for the dispatcher.
interface IGridLimits {
    /// From a day on this is the network that limits are worked out for.
    /// @param model hash of its tables (keccak-256).
    event ModelPublished(uint32 indexed firstDay, bytes32 model);

    /// From a day on members belong to these zones of the network; 0 is none, which has no limits.
    /// @param ids numbers of the members.
    /// @param zones one for each of them.
    event ZonesAssigned(uint32 indexed firstDay, uint32[] ids, uint16[] zones);

    /// From a day on a zone has these limits on days for which none are published.
    /// @param zone number of the zone.
    /// @param imports share of the connection that may be drawn, 1/10,000.
    /// @param exports share that may be fed in.
    event StandingLimitSet(uint16 indexed zone, uint32 indexed firstDay, uint16 imports, uint16 exports);

    /// Limits of a day, before its auction opens. Strips that are not named, in any publication of the day, have none.
    /// @param limits see ZoneLimit; a later one of the same zone and strip replaces an earlier one.
    /// @param report hash of what they were worked out from (keccak-256).
    event LimitsPublished(uint32 indexed day, ZoneLimit[] limits, bytes32 report);

    /// Limits of a day are lowered after its gate.
    /// @param limits see ZoneLimit.
    /// @param cause in words.
    /// @param report hash of what they were worked out from (keccak-256).
    event LimitsLowered(uint32 indexed day, ZoneLimit[] limits, string cause, bytes32 report);

    /// The dispatcher has checked what was contracted for a day.
    /// @param report hash of the check (keccak-256).
    event DayApproved(uint32 indexed day, bytes32 report);

    /// Networks, zones and standing limits change for days whose auction has not opened, and that are not a month away.
    /// @param earliest first day from which they may change.
    error DayNotOpenToChange(uint256 day, uint256 earliest);

    /// Limits of a day are published before its auction opens.
    /// @param opensAt unix time at which it does.
    error AuctionHasOpened(uint256 day, uint256 opensAt, uint256 time);

    /// Limits are lowered, and days approved, after the gate.
    /// @param gate unix time at which it closes.
    error GateIsOpen(uint256 day, uint256 gate, uint256 time);

    /// Too late to lower what a period is limited to, or to approve a day.
    /// @param slot of the day; that of its first period where the day is to be approved.
    /// @param until unix time from which it is too late.
    error PeriodTooNear(uint256 day, uint256 slot, uint256 until, uint256 time);

    /// More than the connection, or more than until now where limits are lowered; or something else in the word.
    /// @param shares as published.
    /// @param most what they may be at most, as GridShares packs them.
    error SharesTooLarge(uint256 zone, uint256 strip, uint256 shares, uint256 most);

    /// No such zone or strip: zones count from 1.
    error NoSuchPlace(uint256 zone, uint256 strip);

    /// One zone for each member.
    error ListsDiffer(uint256 ids, uint256 zones);

    /// An order, or all bids or all asks of a period together, exceed what the network leaves the member (rule 10).
    /// @param asked energy of the order or the orders, Wh.
    /// @param allowed its limit of the period, Wh; of the part of its connection that the sheet is for.
    error ExceedsLimit(uint32 id, uint256 slot, uint256 asked, uint256 allowed);

    /// Nothing is to be published, or nothing is lowered by it.
    error NothingPublished();

    /// A day has so many limits at most, in all its publications, so that all of them fit one transaction.
    error TooManyLimits(uint256 day, uint256 most);

    /// @notice Names the network by its hash. Only the dispatcher.
    function publishModel(bytes32 model, uint32 firstDay) external;

    /// @notice Puts members into zones. Only the dispatcher.
    function assign(uint32[] calldata ids, uint16[] calldata zones, uint32 firstDay) external;

    /// @notice Sets what a zone is limited to on days without a publication, shares in 1/10,000. Only the dispatcher.
    function setStanding(uint16 zone, uint16 imports, uint16 exports, uint32 firstDay) external;

    /// @notice Publishes limits of a day before its auction opens. Only the dispatcher.
    /// @param limits none: the day has no limits at all, standing ones included.
    function limit(uint32 day, ZoneLimit[] calldata limits, bytes32 report) external;

    /// @notice Lowers limits of a day after its gate, of periods that are far enough ahead. Only the dispatcher.
    function restrict(uint32 day, ZoneLimit[] calldata limits, string calldata cause, bytes32 report) external;

    /// @notice Says that what was contracted for a day was checked. Only the dispatcher.
    function approve(uint32 day, bytes32 report) external;

    /// @return whether trades of a day are approved within its limits: by the dispatcher, or because the day has begun.
    function isApproved(uint256 day) external view returns (bool);

    /// @return hash of all publications of a day, each hashed with those before (`abi.encode(before, isLate, limits)`); 0 without any.
    function recordOf(uint256 day) external view returns (bytes32);

    /// @return zone of a member on a day; 0 for none.
    function zoneOn(uint32 id, uint256 day) external view returns (uint16);

    /// @return imports and
    /// @return exports of a zone on days without a publication, 1/10,000.
    function standingOn(uint16 zone, uint256 day) external view returns (uint256 imports, uint256 exports);

    /// @return whether orders of a member may be limited in any period of a day whose auction has opened.
    function isLimited(uint32 id, uint256 day) external view returns (bool);

    /// @notice Reverts unless a member's orders in the calling auction are within its limits. What a member trades through one hand is
    /// limited as that part of its connection, so both together are as the whole.
    /// @param isBrokered whether its intermediary's hand is asked about, and not its own.
    /// @param importCapacity of the connection, Wh per period, or of the part of it that the hand trades, and
    /// @param exportCapacity likewise.
    function requireWithin(uint32 id, uint256 day, bool isBrokered, uint256 importCapacity, uint256 exportCapacity)
        external
        view;

    /// @return shares of a member's connection by strip, as GridShares packs them. Of days that are open for orders, or in delivery.
    function sharesOf(uint32 id, uint256 day) external view returns (uint256[] memory shares);
}
