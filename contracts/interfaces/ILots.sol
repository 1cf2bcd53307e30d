// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Lots of the days
/// @notice By lot orders meet in random matching. The lot of a day comes from secrets that seats of the council pledge before the gate and open after it (rule 15.3).
/// Each names a deputy, another seat to which it gives its secret: either of both opens it, so none of them can hold it back alone.
interface ILots {
    /// A seat is bound to a secret for a day.
    /// @param seat account of the seat's holder.
    /// @param deputy account of the seat that is to hold the secret as well; the seat itself: there is none.
    /// @param hash of day, seat and secret (ABI-encoded).
    event Pledged(uint32 indexed day, address indexed seat, address deputy, bytes32 hash);

    /// A deputy holds the secret of a seat, by its own word.
    /// @param seat account of the seat's holder.
    event Vouched(uint32 indexed day, address indexed seat);

    /// A secret is open.
    /// @param seat account of the seat's holder.
    /// @param secret 32 bytes, of which the pledge has the hash.
    event Opened(uint32 indexed day, address indexed seat, bytes32 secret);

    /// The day's auction has not opened, or its gate has closed: no secret is pledged any more, and none vouched for.
    error NoTimeToPledge(uint256 day);

    /// The seat is bound to a secret already.
    error AlreadyPledged(uint256 day, address seat);

    /// The seat has named another deputy, or has pledged nothing, or its deputy has vouched already.
    error NotTheDeputy(uint256 day, address seat, address account);

    /// A deputy holds the secret of one other seat a day, so that it does not know the lot before the gate.
    error DeputyOfAnother(uint256 day, address deputy);

    /// The gate is not closed, or the time for opening secrets is over.
    error NoTimeToOpen(uint256 day);

    /// The seat is bound to no such secret, it is open, or it does not count.
    error NotPledged(uint256 day, address seat);

    /// The lot is not known yet.
    /// @param knownAt unix time at which it is, whoever is silent.
    error NotDrawn(uint256 day, uint256 knownAt);

    /// @notice Binds the calling seat to a secret. Restricted to seats of the council.
    /// @param hash of day, seat and secret (ABI-encoded).
    function pledge(uint32 day, bytes32 hash, address deputy) external;

    /// @notice The calling seat holds the secret of another one. Restricted to seats of the council.
    function vouch(uint32 day, address seat) external;

    /// @notice Opens a secret. Anyone may who knows it.
    function open(uint32 day, address seat, bytes32 secret) external;

    /// @return the lot of a day; reverts as long as it is not known.
    function lotOf(uint256 day) external view returns (bytes32);
}
