// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";

/// @title Authority
/// @notice Who may call what: one table of role x function for the whole market, deny by default.
contract Authority is AccessManager {
    constructor(address admin) AccessManager(admin) {}
}
