// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Kind, Status} from "../types/Members.sol";
import {ITraders} from "./ITraders.sol";

/// What an applicant signs with its account key; papers stay off chain, their hash is `documents`.
struct Application {
    address account;
    /// Key its meter signs readings with; zero for a member without a meter.
    address meter;
    Kind kind;
    /// Limits of the grid connection, Wh per delivery period.
    uint40 importCapacity;
    uint40 exportCapacity;
    /// Feeder or bus of the connection.
    bytes32 feeder;
    bytes32 documents;
}

/// A member as registered.
struct Member {
    address account;
    uint40 importCapacity;
    uint40 exportCapacity;
    Status status;
    address meter;
    /// First and last delivery day the member takes part in.
    uint32 firstDay;
    uint32 lastDay;
    Kind kind;
}

/// @title Participant registry
/// @notice Who takes part, with which connection and keys (rule 2). Every account has a number; the first five belong to the
/// market itself, see Members.sol. applied -> admitted <-> suspended -> exited.
interface IParticipantRegistry is ITraders {
    event Applied(
        address indexed account,
        address meter,
        Kind kind,
        uint40 importCapacity,
        uint40 exportCapacity,
        bytes32 feeder,
        bytes32 documents
    );
    event Admitted(uint32 indexed id, address indexed account, address meter, Kind kind, uint32 firstDay);
    event Rejected(address indexed account);
    event MeterReplaced(uint32 indexed id, address meter);
    event StatusChanged(uint32 indexed id, Status status, uint32 lastDay);

    /// The signature is not the applicant's.
    error NotSignedByApplicant(address account, address signer);
    /// Account or meter key is missing, or belongs to somebody already.
    error KeyUnusable(address key);
    /// This kind cannot be applied for.
    error KindNotOpen(Kind kind);
    /// This very application was brought before; a new one differs in something.
    error ApplicationUsed(bytes32 digest);
    /// The meters of the area together would exceed what the market can add up, Wh per period.
    error AreaFull(uint256 connected, uint256 limit);
    error UnknownAccount(address account);
    error UnknownMember(uint32 id);
    error UnknownMeter(address meter);
    /// The member's status does not allow this.
    error WrongStatus(address account, Status status);
    /// The member takes part from firstDay to lastDay only.
    error NotTakingPart(uint32 id, uint256 day, uint32 firstDay, uint32 lastDay);

    /// @notice Records a signed application; anyone may bring it.
    function applyFor(Application calldata application, bytes calldata signature) external;

    /// @notice Admits an applicant; it takes part from the day after the one in delivery.
    /// @return id its number, the next free one.
    function admit(address account) external returns (uint32 id);

    /// @notice Refuses an application, so that the account can apply anew.
    function reject(address account) external;

    /// @notice Gives a member's meter another key, at once: readings under the old key are refused from now on, and the registers
    /// begin anew.
    function replaceMeter(uint32 id, address meter) external;

    /// @notice Bars a member from placing orders; what it has contracted is still settled.
    function suspend(uint32 id) external;

    /// @notice Lets a suspended member place orders again.
    function reinstate(uint32 id) external;

    /// @notice Ends a membership after the last day whose day-ahead auction has opened.
    function exit(uint32 id) external;

    /// @notice Notes that from a day on the caller, which keeps the mandates, says what part of a member's connection its
    /// intermediary trades.
    function divide(uint32 id, uint32 firstDay) external;

    /// @notice The caller, a market that keeps who may order, is told from now on whenever a member's standing changes.
    function watch() external;

    /// @return number of members ever admitted, which is also the highest number.
    function memberCount() external view returns (uint32);

    /// @return the member as registered.
    function member(uint32 id) external view returns (Member memory);

    /// @return 0 for an unknown account.
    function idOf(address account) external view returns (uint32);

    /// @return where an account stands in the life cycle.
    function statusOf(address account) external view returns (Status);

    /// @notice Number and capacities (Wh per period) of the member whose meter this is; reverts if it takes no part that day.
    function metered(address meter, uint256 day)
        external
        view
        returns (uint32 id, uint256 importCapacity, uint256 exportCapacity);

    /// @return whether a member has a meter and takes part that day.
    function isMetered(uint32 id, uint256 day) external view returns (bool);

    /// @return whether the account may hold tokens.
    function isRegistered(address account) external view returns (bool);
}
