// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Market that keeps its pause
/// @notice A market whose orders draw on money that was locked before, so that no lock stops them: it is told of a pause.
interface IPausable {
    /// @notice Takes over from the accounts until when this market is paused; within 6,000,000 gas. Anybody may call, but need
    /// not: the accounts do where a pause begins, changes or is lifted.
    function followPause() external;
}
