// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ProRata} from "../../contracts/libraries/ProRata.sol";
import {Orders} from "../../contracts/types/Orders.sol";
import {bound} from "./Vm.sol";

/// Rule 5: rationing is exact in sum, and to less than 1 Wh for each.
contract ProRataTest {
    /// forge-config: default.fuzz.runs = 2000
    function test_fills_sum_to_the_share(uint256[9] memory energies, uint256 share) external pure {
        uint256 marginal = 0;
        for (uint256 i = 0; i < energies.length; ++i) {
            energies[i] = bound(energies[i], 0, i % 3 == 0 ? Orders.ENERGY_MASK : 9);
            marginal += energies[i];
        }
        if (marginal == 0) return;
        share = bound(share, 0, marginal);
        uint256 walked = 0;
        uint256 filled = 0;
        for (uint256 i = 0; i < energies.length; ++i) {
            uint256 fill = ProRata.fillDown(walked, energies[i], share, marginal);
            uint256 exact = energies[i] * share; // times marginal
            require(fill <= energies[i], "more than the order");
            require(fill * marginal < exact + marginal && fill * marginal + marginal > exact, "1 Wh off or more");
            walked += energies[i];
            filled += fill;
        }
        require(filled == share, "sum");
    }

    /// forge-config: default.fuzz.runs = 1000
    function test_cutting_an_order_up_changes_nothing(uint64 walked, uint64 first, uint64 second, uint256 share)
        external
        pure
    {
        uint256 whole = uint256(first) + second;
        uint256 marginal = walked + whole + 1;
        share = bound(share, 0, marginal);
        require(
            ProRata.fillDown(walked, whole, share, marginal)
                == ProRata.fillDown(walked, first, share, marginal)
                    + ProRata.fillDown(uint256(walked) + first, second, share, marginal),
            "parts and whole"
        );
    }

    function test_ends(uint64 walked, uint64 energy) external pure {
        uint256 marginal = uint256(walked) + energy + 1;
        require(ProRata.fillDown(walked, energy, 0, marginal) == 0, "no share");
        require(ProRata.fillDown(walked, energy, marginal, marginal) == energy, "all of it");
    }
}
