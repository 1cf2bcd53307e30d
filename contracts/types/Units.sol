// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// Energy in Wh, without a sign.
type Energy is uint64;

/// Money in 10^-8 of one currency unit, without a sign.
type Money is uint128;

/// Price in money units per Wh: 1 unit/Wh = 0.01 currency/MWh, so energy times price is exact.
type Price is uint32;

using {plus as +} for Price global;

// Order limits are whole ticks; one tick is 0.001 currency/kWh.
uint256 constant UNITS_PER_TICK = 100;

// Highest tick an order may name: 4.095 currency/kWh.
uint256 constant MAX_TICK = 4095;

function plus(Price a, Price b) pure returns (Price) {
    return Price.wrap(Price.unwrap(a) + Price.unwrap(b));
}
