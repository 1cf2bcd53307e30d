// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// Energy in Wh, without a sign.
type Energy is uint64;

/// Money in 10^-8 of one currency unit, without a sign.
type Money is uint128;

/// Price in money units per Wh: 1 unit/Wh = 0.01 currency/MWh, so energy times price is exact.
type Price is uint32;

using {plusEnergy as +, sameEnergy as ==} for Energy global;
using {plusMoney as +, minusMoney as -, sameMoney as ==, lessMoney as <} for Money global;
using {plusPrice as +, lessPrice as <} for Price global;
using {valueAt} for Energy global;

// Order limits are whole ticks; one tick is 0.001 currency/kWh.
uint256 constant UNITS_PER_TICK = 100;

// Highest tick an order may name: 4.095 currency/kWh.
uint256 constant MAX_TICK = 4095;

/// @return what this energy costs at that price; exact, there is nothing to round.
function valueAt(Energy energy, Price price) pure returns (Money) {
    // 64 bits times 32 bits fit 128 bits.
    return Money.wrap(uint128(uint256(Energy.unwrap(energy)) * Price.unwrap(price)));
}

function plusEnergy(Energy a, Energy b) pure returns (Energy) {
    return Energy.wrap(Energy.unwrap(a) + Energy.unwrap(b));
}

function sameEnergy(Energy a, Energy b) pure returns (bool) {
    return Energy.unwrap(a) == Energy.unwrap(b);
}

function plusMoney(Money a, Money b) pure returns (Money) {
    return Money.wrap(Money.unwrap(a) + Money.unwrap(b));
}

function minusMoney(Money a, Money b) pure returns (Money) {
    return Money.wrap(Money.unwrap(a) - Money.unwrap(b));
}

function sameMoney(Money a, Money b) pure returns (bool) {
    return Money.unwrap(a) == Money.unwrap(b);
}

function lessMoney(Money a, Money b) pure returns (bool) {
    return Money.unwrap(a) < Money.unwrap(b);
}

function plusPrice(Price a, Price b) pure returns (Price) {
    return Price.wrap(Price.unwrap(a) + Price.unwrap(b));
}

function lessPrice(Price a, Price b) pure returns (bool) {
    return Price.unwrap(a) < Price.unwrap(b);
}
