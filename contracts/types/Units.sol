// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// Energy in Wh, without a sign.
type Energy is uint64;

/// Money in 10^-8 of one currency unit, without a sign.
type Money is uint128;

/// Price in money units per Wh: 1 unit/Wh = 0.01 currency/MWh, so energy times price is exact. Without a sign: fees and rates.
type Price is uint32;

/// Price that may be below zero, units/Wh: who sells pays then.
type SignedPrice is int32;

using {plus as +} for Price global;

/// Prices that orders can name: MAX_TICK + 1 of them, from the lowest on, a tick apart.
struct PriceRange {
    /// Units/Wh, at most 0 and a whole number of ticks.
    int32 lowest;
    /// Units/Wh.
    uint32 tick;
}

// Highest tick an order may name, counted from the lowest price.
uint256 constant MAX_TICK = 4095;

function plus(Price a, Price b) pure returns (Price) {
    return Price.wrap(Price.unwrap(a) + Price.unwrap(b));
}
