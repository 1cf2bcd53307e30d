// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// The few of forge's cheat codes that the tests use, as forge declares them.
interface Vm {
    struct Gas {
        uint64 gasLimit;
        uint64 gasTotalUsed;
        uint64 gasMemoryUsed;
        int64 gasRefunded;
        uint64 gasRemaining;
    }

    function addr(uint256 key) external pure returns (address);
    function assume(bool condition) external pure;
    function createDir(string calldata path, bool recursive) external;
    function deployCode(string calldata artifact, bytes calldata arguments) external returns (address);
    function envOr(string calldata name, string calldata otherwise) external view returns (string memory);
    function etch(address target, bytes calldata code) external;
    function expectRevert(bytes calldata data) external;
    function lastCallGas() external view returns (Gas memory);
    function parseJsonTypeArray(string calldata json, string calldata key, string calldata description)
        external
        pure
        returns (bytes memory);
    function prank(address sender) external;
    function readFile(string calldata path) external view returns (string memory);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function skip(bool skipTest) external;
    function toString(uint256 value) external pure returns (string memory);
    function warp(uint256 time) external;
    function writeFile(string calldata path, string calldata data) external;
}

Vm constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

/// @return a contract of the project, deployed: as the package has it where CONTRACTS names the folder (tools/artifacts.py), else as
/// forge has compiled it.
function deploy(string memory name, bytes memory arguments) returns (address) {
    string memory folder = VM.envOr("CONTRACTS", "");
    bool isShipped = bytes(folder).length != 0;
    string memory artifact = isShipped ? string.concat(folder, "/", name, ".json") : string.concat(name, ".sol:", name);
    return VM.deployCode(artifact, arguments);
}

/// @return x squeezed into lo..hi, both included; what is inside already stays.
function bound(uint256 x, uint256 lo, uint256 hi) pure returns (uint256) {
    if (x >= lo && x <= hi) return x;
    return lo + x % (hi - lo + 1);
}

/// @return x squeezed into -limit..limit.
function boundSigned(int256 x, uint256 limit) pure returns (int256) {
    if (x >= -int256(limit) && x <= int256(limit)) return x;
    return int256(uint256(x) % (2 * limit + 1)) - int256(limit);
}
