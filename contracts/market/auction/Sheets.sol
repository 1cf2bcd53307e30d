// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Strips} from "../../types/Strips.sol";

/// What a market remembers of a member's orders for one day; all of it in one storage word.
struct Sheet {
    uint256 day;
    /// Of the last sheet taken.
    uint256 sequence;
    /// Orders per period in use, at most MAX_LAYERS of WorstDay.sol.
    uint256 layers;
    /// Those of its intermediary, in the word of its own orders alone: whoever has none asks for nothing else.
    uint256 brokered;
    /// The day's terms, kept here as well: whoever changes an order asks for nothing else of the day.
    uint256 terms;
    /// Collateral, money units.
    uint256 locked;
}

/// @title Sheets
/// @notice Words of a sheet and of a day's terms.
library Sheets {
    uint256 private constant SEQUENCE_SHIFT = 200;
    uint256 private constant BROKERED_SHIFT = 192;
    uint256 private constant LAYERS_SHIFT = 184;
    uint256 private constant TERMS_SHIFT = 80;
    uint256 private constant TERMS_MASK = (1 << 104) - 1;
    uint256 private constant PRICE_BITS = 22;
    uint256 private constant PRICE_MASK = (1 << PRICE_BITS) - 1;
    uint256 private constant COMMISSION_OF_TERMS = 44;
    uint256 private constant COMMISSION_MASK = (1 << 20) - 1;
    uint256 private constant ENERGY_OF_TERMS = 64;
    uint256 private constant ENERGY_MASK = (1 << 28) - 1;
    uint256 private constant LAYERS_OF_TERMS = 92;
    uint256 private constant LAYERS_MASK = (1 << 11) - 1;
    uint256 private constant LIMITED = 1 << 103;

    /// @return the day in bits 255..240, as in a strip; sequence 239..200, brokered layers 199..192, layers 191..184, terms
    /// 183..80, locked 79..0.
    function pack(Sheet memory s) internal pure returns (uint256) {
        return Strips.withDay(s.locked, s.day) | (s.sequence << SEQUENCE_SHIFT) | (s.brokered << BROKERED_SHIFT)
            | (s.layers << LAYERS_SHIFT) | (s.terms << TERMS_SHIFT);
    }

    function unpack(uint256 word) internal pure returns (Sheet memory s) {
        s.day = Strips.dayOf(word);
        s.sequence = uint40(word >> SEQUENCE_SHIFT);
        s.layers = uint8(word >> LAYERS_SHIFT);
        s.brokered = uint8(word >> BROKERED_SHIFT);
        s.terms = (word >> TERMS_SHIFT) & TERMS_MASK;
        s.locked = uint80(word);
    }

    /// @return orders per period that an intermediary has for a member, by the word of the member's own orders.
    function brokeredOn(uint256 word, uint256 day) internal pure returns (uint256) {
        return Strips.dayOf(word) == day ? uint8(word >> BROKERED_SHIFT) : 0;
    }

    /// @param extra_ the most that a buyer pays besides its price, units/Wh.
    /// @param ceiling_ the highest cost of an order, units/Wh.
    /// @param minEnergy_ of an order, Wh.
    /// @param maxLayers_ orders a member may have for one period.
    /// @return 104 bits: whether the member is limited in bit 103, layers in 102..92, energy in 91..64, commission in 63..44, ceiling in
    /// 43..22, extra in 21..0.
    function packTerms(uint256 extra_, uint256 ceiling_, uint256 minEnergy_, uint256 maxLayers_)
        internal
        pure
        returns (uint256)
    {
        return (maxLayers_ << LAYERS_OF_TERMS) | (minEnergy_ << ENERGY_OF_TERMS) | (ceiling_ << PRICE_BITS) | extra_;
    }

    /// @return the terms of orders that may cost a commission (units/Wh) besides.
    function withCommission(uint256 terms, uint256 commission_) internal pure returns (uint256) {
        return terms | (commission_ << COMMISSION_OF_TERMS);
    }

    /// @return the terms of a member that the network leaves less than its connection on that day (rule 10).
    function withLimits(uint256 terms) internal pure returns (uint256) {
        return terms | LIMITED;
    }

    function isLimited(uint256 terms) internal pure returns (bool) {
        return terms & LIMITED != 0;
    }

    function extra(uint256 terms) internal pure returns (uint256) {
        return terms & PRICE_MASK;
    }

    function ceiling(uint256 terms) internal pure returns (uint256) {
        return (terms >> PRICE_BITS) & PRICE_MASK;
    }

    function minEnergy(uint256 terms) internal pure returns (uint256) {
        return (terms >> ENERGY_OF_TERMS) & ENERGY_MASK;
    }

    /// @return what an intermediary may ask for at most, units/Wh; 0 where the member trades itself.
    function commission(uint256 terms) internal pure returns (uint256) {
        return (terms >> COMMISSION_OF_TERMS) & COMMISSION_MASK;
    }

    function maxLayers(uint256 terms) internal pure returns (uint256) {
        return (terms >> LAYERS_OF_TERMS) & LAYERS_MASK;
    }
}
