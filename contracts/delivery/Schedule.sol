// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IMarket, Positions} from "../interfaces/IMarket.sol";
import {ISchedule} from "../interfaces/ISchedule.sol";
import {Strips} from "../types/Strips.sol";

/// @title Schedule
contract Schedule is ISchedule, AccessManaged {
    IMarket[] private _markets;

    constructor(address authority) AccessManaged(authority) {}

    /// @inheritdoc ISchedule
    function addMarket(IMarket market) external restricted {
        for (uint256 m = 0; m < _markets.length; ++m) {
            if (address(_markets[m]) == address(market)) revert MarketKnown(address(market));
        }
        _markets.push(market);
        emit MarketAdded(address(market));
    }

    /// @inheritdoc ISchedule
    function markets() external view returns (IMarket[] memory) {
        return _markets;
    }

    /// @inheritdoc ISchedule
    function isComplete(uint256 day) external view returns (bool) {
        for (uint256 m = 0; m < _markets.length; ++m) {
            if (!_markets[m].isCleared(day)) return false;
        }
        return _markets.length > 0;
    }

    /// @inheritdoc ISchedule
    function collect(uint256 day, uint32 firstId, uint256 count) external restricted returns (Positions memory sum) {
        sum = _markets[0].book(day, firstId, count);
        for (uint256 m = 1; m < _markets.length; ++m) {
            _add(sum, _markets[m].book(day, firstId, count));
        }
        for (uint256 i = 0; i < count; ++i) {
            if (_hasAny(sum.net[i])) emit Scheduled(firstId + uint32(i), uint32(day), sum.net[i]);
        }
    }

    function _add(Positions memory sum, Positions memory more) private pure {
        for (uint256 i = 0; i < sum.net.length; ++i) {
            sum.net[i] = _addStrips(sum.net[i], more.net[i]);
            sum.payment[i] += more.payment[i];
            sum.traded[i] += more.traded[i];
            sum.release[i] += more.release[i];
        }
    }

    function _addStrips(uint256[] memory a, uint256[] memory b) private pure returns (uint256[] memory) {
        if (a.length == 0) return b;
        for (uint256 s = 0; s < b.length; ++s) {
            a[s] = Strips.addSigned(a[s], b[s]);
        }
        return a;
    }

    function _hasAny(uint256[] memory strips) private pure returns (bool) {
        for (uint256 s = 0; s < strips.length; ++s) {
            if (strips[s] != Strips.ZERO_LANES) return true;
        }
        return false;
    }
}
