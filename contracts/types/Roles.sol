// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

// Numbers of roles in the authority, as dem/deployment/plan.py has them.
uint64 constant ADMIN = 0;
uint64 constant NODE = 5;
// Roles from here on are held by contracts, for good; those below the council grants and takes, to a new market as well.
uint64 constant FIRST_CONTRACT_ROLE = 10;
// The council's own, without a delay: what lets a paused market go on.
uint64 constant REOPENING = 22;
