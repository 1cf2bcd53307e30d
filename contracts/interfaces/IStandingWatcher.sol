// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Watcher of standing
/// @notice A market that does not ask the registry with every order, and is therefore told.
interface IStandingWatcher {
    /// @notice Bars an account from placing orders, or lets it place them again; within 200,000 gas.
    function bar(address account, bool isBarred) external;

    /// @notice A member's account is another one from now on: what is kept by account is moved; within 400,000 gas.
    function move(address replaced, address account) external;
}
