// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// What the wholesale desk of a day signs before the gate (EIP-712): it binds the desk to a report that it opens later.
struct WholesaleCommitment {
    /// Account of the desk.
    address desk;
    uint32 day;
    /// Struct hash (EIP-712) of its WholesaleReport.
    bytes32 report;
}

/// @title Wholesale desk
/// @notice Who the wholesale desk of a day is, and which report it has committed to (rule 6). The council appoints the desk
/// before a day's auction opens. The desk commits before the gate, so that it names its prices without having seen the
/// whole book.
interface IWholesaleDesk {
    /// The council appoints the desk from a day on. It replaces whoever was appointed for that day and later.
    /// @param firstDay day from which the member is the desk.
    /// @param id number of the member; 0: there is no desk.
    event DeskAppointed(uint32 indexed firstDay, uint32 indexed id);

    /// The desk of a day has committed to a report. It stands.
    /// @param id number of the member that is the desk.
    /// @param report struct hash (EIP-712) of the report.
    event Committed(uint32 indexed id, uint32 indexed day, bytes32 report);

    /// Only a wholesale desk can be appointed.
    error NotADesk(uint32 id);

    /// The auction of the day has opened: its desk is fixed.
    /// @param firstDay day from which the desk was to be another.
    /// @param earliest first day from which it may.
    error TooLateToAppoint(uint256 firstDay, uint256 earliest);

    /// Another member is the desk of the day, or nobody.
    /// @param id number of the member that wants to trade as the desk; 0 for who is no member.
    /// @param appointed number of the desk, 0 for none.
    error NotTheDesk(uint256 day, uint32 id, uint32 appointed);

    /// The commitment is not signed by the desk that it names.
    /// @param desk address of the desk.
    error NotSignedByDesk(address desk, address signer);

    /// Before the auction opens the desk of the day may still change.
    /// @param from unix time from which it may commit.
    error TooEarlyToCommit(uint256 day, uint256 from, uint256 time);

    /// The gate of the day-ahead auction has closed.
    /// @param gate unix time at which it closed.
    error TooLateToCommit(uint256 day, uint256 gate, uint256 time);

    /// A day has one commitment.
    error AlreadyCommitted(uint256 day);

    /// The desk has committed to no report of this day, or to another one.
    /// @param report struct hash of the report it brings.
    /// @param committed struct hash of the one it has committed to, zero for none.
    error NotCommitted(uint256 day, bytes32 report, bytes32 committed);

    /// @notice Appoints the desk for a day that has not opened and for those that follow, until another is appointed.
    /// @param id number of the member; 0 for nobody.
    function appoint(uint32 id, uint32 firstDay) external;

    /// @notice Takes the signed commitment of a day's desk while its auction is open; anyone may bring it.
    function commit(WholesaleCommitment calldata c, bytes calldata signature) external;

    /// @return the member that is the desk of a day; 0 for nobody.
    function deskOf(uint256 day) external view returns (uint32);

    /// @return struct hash of the report that the desk of a day has committed to; zero for none.
    function commitmentOf(uint256 day) external view returns (bytes32);

    /// @notice Reverts unless the member is the desk of the day and has committed to this report.
    function requireCommitted(uint256 day, uint32 id, bytes32 report) external view;
}
