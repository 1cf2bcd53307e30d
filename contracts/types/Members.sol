// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

// Numbers of the accounts every market has; participants follow from FIRST_PARTICIPANT.
uint32 constant BALANCING_FUND = 1;
// Counterparty of all settlement postings; at zero whenever no day is half settled.
uint32 constant CLEARING_HOUSE = 2;
uint32 constant FALLBACK_SUPPLIER = 3;
uint32 constant OPERATOR = 4;
uint32 constant GRID_OPERATOR = 5;
uint32 constant FIRST_PARTICIPANT = 6;

/// What a member is in the market.
enum Kind {
    None,
    Fund,
    ClearingHouse,
    FallbackSupplier,
    Operator,
    GridOperator,
    Consumer,
    Prosumer,
    Intermediary,
    WholesaleDesk
}

/// Life cycle of a member; only an admitted one places orders.
enum Status {
    None,
    Applied,
    Admitted,
    Suspended,
    Exited
}
