// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Kind, Status} from "../types/Members.sol";
import {ITraders} from "./ITraders.sol";

/// What an applicant signs with its account key; papers stay off chain, their hash is `documents`.
struct Application {
    /// Who applies, and signs.
    address account;
    /// Key its meter signs readings with; zero for a member without a meter.
    address meter;
    /// What it wants to be (Members.sol).
    Kind kind;
    /// Limits of the grid connection, Wh per delivery period.
    uint40 importCapacity;
    uint40 exportCapacity;
    /// Feeder or bus of the connection.
    bytes32 feeder;
    /// Hash of the papers.
    bytes32 documents;
}

/// A member as registered.
struct Member {
    /// Address that it signs with; zero for the balancing fund and the clearing house.
    address account;
    /// Limits of the grid connection, Wh per delivery period; 2^40 - 1 where nothing limits it.
    uint40 importCapacity;
    uint40 exportCapacity;
    /// Whether it may place orders.
    Status status;
    /// Key its meter signs readings with; zero for a member without a meter.
    address meter;
    /// First and last delivery day the member takes part in.
    uint32 firstDay;
    uint32 lastDay;
    /// What it is in the market.
    Kind kind;
}

/// Whose a meter is on a day.
struct Metered {
    uint32 id;
    /// What its connection carries that day, Wh per delivery period.
    uint256 importCapacity;
    uint256 exportCapacity;
    /// Whether the member has, or had, several meters (IMeters.sol).
    bool isOneOfSeveral;
    /// First day since which it has taken part without a break.
    uint256 since;
}

/// @title Participant registry
/// @notice Who takes part, with which connection and keys (rule 2). Every account has a number; the first five belong
/// to the market itself, see Members.sol. applied -> admitted <-> suspended -> exited.
interface IParticipantRegistry is ITraders {
    /// Somebody asks to be admitted.
    /// @param meter address of the key its meter signs with; zero for a member without a meter.
    /// @param kind what it wants to be (Members.sol).
    /// @param importCapacity most that the grid connection takes in, Wh per delivery period.
    /// @param exportCapacity most that it feeds in, Wh per delivery period.
    /// @param feeder feeder or bus of the connection.
    /// @param documents hash of the papers, which stay off chain.
    event Applied(
        address indexed account,
        address meter,
        Kind kind,
        uint40 importCapacity,
        uint40 exportCapacity,
        bytes32 feeder,
        bytes32 documents
    );

    /// Somebody is a member. At deployment the market's own members are, numbers 1 to 5.
    /// @param id its number from now on.
    /// @param account address that it signs with; zero for the balancing fund and the clearing house.
    /// @param meter address of the key its meter signs with; zero for a member without a meter.
    /// @param kind what it is (Members.sol).
    /// @param firstDay first delivery day in which it takes part.
    event Admitted(uint32 indexed id, address indexed account, address meter, Kind kind, uint32 firstDay);

    /// An application is refused; the account is free to apply anew.
    event Rejected(address indexed account);

    /// A member's meter has another key; the old one counts no more.
    /// @param meter address of the new key.
    event MeterReplaced(uint32 indexed id, address meter);

    /// A meter stays when its member moves out, and is another member's from a day on.
    /// @param meter address of its key.
    /// @param former number of the member that had it.
    /// @param firstDay first delivery day that it reads for the new one.
    event MeterTakenOver(uint32 indexed id, address indexed meter, uint32 indexed former, uint32 firstDay);

    /// A member has another account; what the old one has signed is void.
    /// @param replaced the old one, under which nobody is admitted again.
    /// @param account the new one.
    event AccountReplaced(uint32 indexed id, address indexed replaced, address indexed account);

    /// A member's connection carries another energy from a day on. What was to change on that day or later does not.
    /// @param importCapacity most that it takes in, Wh per delivery period.
    /// @param exportCapacity most that it feeds in, Wh per delivery period.
    /// @param firstDay first delivery day on which it does.
    event ConnectionChanged(uint32 indexed id, uint40 importCapacity, uint40 exportCapacity, uint32 firstDay);

    /// A member that has left is back, under its number.
    /// @param firstDay first delivery day in which it takes part again.
    event Returned(uint32 indexed id, uint32 firstDay);

    /// A member is suspended, reinstated or has left.
    /// @param status its standing from now on (Members.sol).
    /// @param lastDay last delivery day in which it takes part; 2^32 - 1 if no end is set.
    event StatusChanged(uint32 indexed id, Status status, uint32 lastDay);

    /// A member's meter has been silent for too many days in a row (rule 12.3), or reads again.
    /// @param isSilent whether the member may not order.
    event SilenceChanged(uint32 indexed id, bool isSilent);

    /// A market is told from now on whenever a member's standing changes.
    /// @param market address of the market.
    event WatcherAdded(address indexed market);

    /// A market is told no more.
    /// @param market address of the market.
    event WatcherRemoved(address indexed market);

    /// A market that was to be told of a member's standing failed to take note: there the member stands as before.
    /// @param market address of the market.
    event WatcherFailed(address indexed market, uint32 indexed id);

    /// The signature is not the applicant's.
    error NotSignedByApplicant(address account, address signer);

    /// Account or meter key is missing, or belongs to somebody already; and the two must differ.
    /// @param key address in question.
    error KeyUnusable(address key);

    /// This kind cannot be applied for; who comes back stays of its kind.
    /// @param kind what was applied for (Members.sol).
    error KindNotOpen(Kind kind);

    /// This very application was brought before; a new one differs in something.
    /// @param digest its hash as it was signed (EIP-712).
    error ApplicationUsed(bytes32 digest);

    /// The account's application is another one than that which was decided on.
    /// @param digest hash of the one that stands, as it was signed (EIP-712).
    error AnotherApplication(address account, bytes32 digest);

    /// There is no contract at the address, it is told already, or it is not when it is to be told no more.
    /// @param market address given.
    error WatcherUnusable(address market);

    /// No further market is told, so that a standing is changed in one transaction.
    /// @param limit most there may be.
    error TooManyWatchers(uint256 limit);

    /// The transaction has too little gas to tell a market of a changed standing.
    /// @param left gas that is left.
    /// @param needed gas that there must be.
    error TooLittleGas(uint256 left, uint256 needed);

    /// Every market has to fit beside the others when a member's energy is added up.
    /// @param capacity the larger of both that the application states, Wh per period.
    /// @param limit most that either may be, Wh per period.
    error ConnectionTooLarge(uint256 capacity, uint256 limit);

    /// A connection is changed for a day on which nobody can have ordered yet.
    /// @param first the earliest such day.
    error DayUnusable(uint256 day, uint256 first);

    /// The meters of the area together would exceed what the market can add up.
    /// @param connected the larger capacity of each meter, summed with the new one, Wh per period.
    /// @param limit most that the sum may be, Wh per period.
    error AreaFull(uint256 connected, uint256 limit);

    /// Nobody with this address has applied, or is a member.
    error UnknownAccount(address account);
    /// No member has this number.
    error UnknownMember(uint32 id);
    /// No member has a meter with this key.
    error UnknownMeter(address meter);

    /// The member's status does not allow this.
    /// @param status its standing now (Members.sol).
    error WrongStatus(address account, Status status);

    /// The member's meter has been silent for so many days that it orders no more until it reads again.
    error MeterSilent(uint32 id);

    /// The member takes no part in the market on this day.
    /// @param firstDay first delivery day in which it does.
    /// @param lastDay last such day; 2^32 - 1 if no end is set.
    error NotTakingPart(uint32 id, uint256 day, uint32 firstDay, uint32 lastDay);

    /// @notice Records a signed application; anyone may bring it. Who has left may apply again once its last day can be
    /// corrected no more.
    function applyFor(Application calldata application, bytes calldata signature) external;

    /// @notice Admits an applicant; it takes part from the day after the one in delivery, with a meter of somebody who
    /// has left from the day after that one's last, and who has left and comes back from the first day whose auction has not
    /// opened. Decided is on this very application: nobody slips in another one while a decision waits.
    /// @param application its hash as it was signed, see `applicationOf`.
    /// @return id its number, the next free one; the same as before for who comes back.
    function admit(address account, bytes32 application) external returns (uint32 id);

    /// @notice Refuses an application, so that the account can apply anew. Decided is on this very one, as with `admit`.
    /// @param application its hash as it was signed, see `applicationOf`.
    function reject(address account, bytes32 application) external;

    /// @notice Gives a member's meter another key, at once: readings under the old key are refused from now on, and the
    /// registers begin anew.
    function replaceMeter(uint32 id, address meter) external;

    /// @notice Gives a member's connection another capacity from a day on, whose auction has not opened yet.
    /// @param importCapacity most that it takes in then, Wh per delivery period.
    /// @param exportCapacity most that it feeds in then, Wh per delivery period.
    function changeConnection(uint32 id, uint40 importCapacity, uint40 exportCapacity, uint32 firstDay) external;

    /// @notice Gives a member another account, under its number: all that the member has stays its own. For Replacements.sol.
    function replaceAccount(uint32 id, address account) external;

    /// @notice Bars a member from placing orders; what it has contracted is still settled.
    function suspend(uint32 id) external;

    /// @notice Lets a suspended member place orders again.
    function reinstate(uint32 id) external;

    /// @notice Ends a membership after the last day whose day-ahead auction has opened.
    function exit(uint32 id) external;

    /// @notice Takes the connection of a member that has left off the area's sum, once nothing can be read of it any more.
    /// Anyone may call.
    function disconnect(uint32 id) external;

    /// @notice Notes whether a member's meter has been silent for too long: then it places no orders. Only the readings.
    function setSilent(uint32 id, bool isSilent_) external;

    /// @notice A member has a further meter. Only the meters.
    /// @return main the one that it had before.
    function addMeter(uint32 id, address meter) external returns (address main);

    /// @notice Another one of a member's meters stands for it from now on. Only the meters.
    function setMainMeter(uint32 id, address meter) external;

    /// @notice Notes that from a day on the caller, which keeps the mandates, says what part of a member's connection
    /// its intermediary trades.
    function divide(uint32 id, uint32 firstDay) external;

    /// @notice A market that keeps who may order (IStandingWatcher) is told from now on whenever a member's standing
    /// changes; at most 8 are. One that fails hinders nobody.
    function addWatcher(address market) external;

    /// @notice A market is told no more.
    function removeWatcher(address market) external;

    /// @return number of members ever admitted, which is also the highest number.
    function memberCount() external view returns (uint32);

    /// @return the member as registered, with what its connection carries today.
    function member(uint32 id) external view returns (Member memory);

    /// @return 0 for an unknown account.
    function idOf(address account) external view returns (uint32);

    /// @return number of the member whose account this is, or was until it was replaced; 0 for none.
    function numberOf(address account) external view returns (uint32);

    /// @return where an account stands in the life cycle.
    function statusOf(address account) external view returns (Status);

    /// @notice The member whose meter this is on a day; reverts if it takes no part then.
    function metered(address meter, uint256 day) external view returns (Metered memory);

    /// @return id of the member that had the meter before the one that has it now and took it over; 0 for none.
    /// @return firstDay first day of the one that has it now.
    function formerOf(address meter) external view returns (uint32 id, uint256 firstDay);

    /// @notice The meter that stands for a member on a day, and what its connection carries; zeros if it has none, or takes no
    /// part then.
    /// @return meter address of its key.
    /// @return importCapacity most that the connection takes in, Wh per delivery period.
    /// @return exportCapacity most that it feeds in.
    function meterOn(uint32 id, uint256 day)
        external
        view
        returns (address meter, uint256 importCapacity, uint256 exportCapacity);

    /// @return whether a member may not order because its meter has been silent for too long.
    function isSilent(uint32 id) external view returns (bool);

    /// @return hash of an account's application that waits to be decided on, as it was signed; zero if there is none.
    function applicationOf(address account) external view returns (bytes32);

    /// @return whether the market is told of changed standings.
    function isWatcher(address market) external view returns (bool);

    /// @return whether the account may hold tokens.
    function isRegistered(address account) external view returns (bool);
}
