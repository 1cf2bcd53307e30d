// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Watcher of standing
/// @notice A market that does not ask the registry with every order, and is therefore told.
interface IStandingWatcher {
    /// @notice Bars an account from placing orders, or lets it place them again.
    function bar(address account, bool isBarred) external;
}
