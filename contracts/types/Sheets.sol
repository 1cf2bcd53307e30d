// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Strips} from "./Strips.sol";

/// What a market remembers of a member's orders for one day; all of it in one storage word.
struct Sheet {
    uint256 day;
    /// Of the last sheet taken.
    uint256 sequence;
    /// Orders per period in use.
    uint256 layers;
    /// The day's terms, kept here as well: whoever changes an order asks for nothing else of the day.
    uint256 terms;
    /// Collateral, money units.
    uint256 locked;
}

/// @title Sheets
/// @notice Words of a sheet and of a day's terms.
library Sheets {
    uint256 private constant SEQUENCE_SHIFT = 200;
    uint256 private constant LAYERS_SHIFT = 184;
    uint256 private constant TERMS_SHIFT = 80;
    uint256 private constant TERMS_MASK = (1 << 104) - 1;
    uint256 private constant PRICE_BITS = 28;
    uint256 private constant PRICE_MASK = (1 << PRICE_BITS) - 1;
    uint256 private constant ENERGY_OF_TERMS = 56;
    uint256 private constant LAYERS_OF_TERMS = 88;

    /// @return the day in bits 255..240, as in a strip; sequence 239..200, layers 199..184, terms 183..80, locked 79..0.
    function pack(Sheet memory s) internal pure returns (uint256) {
        return Strips.withDay(s.locked, s.day) | (s.sequence << SEQUENCE_SHIFT) | (s.layers << LAYERS_SHIFT)
            | (s.terms << TERMS_SHIFT);
    }

    function unpack(uint256 word) internal pure returns (Sheet memory s) {
        s.day = Strips.dayOf(word);
        s.sequence = uint40(word >> SEQUENCE_SHIFT);
        s.layers = uint16(word >> LAYERS_SHIFT);
        s.terms = (word >> TERMS_SHIFT) & TERMS_MASK;
        s.locked = uint80(word);
    }

    /// @param fees_ units/Wh.
    /// @param ceiling_ the highest cost of an order, units/Wh.
    /// @param minEnergy_ of an order, Wh.
    /// @param maxLayers_ orders a member may have for one period.
    /// @return 104 bits: layers in 103..88, energy in 87..56, ceiling in 55..28, fees in 27..0.
    function packTerms(uint256 fees_, uint256 ceiling_, uint256 minEnergy_, uint256 maxLayers_)
        internal
        pure
        returns (uint256)
    {
        return (maxLayers_ << LAYERS_OF_TERMS) | (minEnergy_ << ENERGY_OF_TERMS) | (ceiling_ << PRICE_BITS) | fees_;
    }

    function fees(uint256 terms) internal pure returns (uint256) {
        return terms & PRICE_MASK;
    }

    function ceiling(uint256 terms) internal pure returns (uint256) {
        return (terms >> PRICE_BITS) & PRICE_MASK;
    }

    function minEnergy(uint256 terms) internal pure returns (uint256) {
        return uint32(terms >> ENERGY_OF_TERMS);
    }

    function maxLayers(uint256 terms) internal pure returns (uint256) {
        return terms >> LAYERS_OF_TERMS;
    }
}
