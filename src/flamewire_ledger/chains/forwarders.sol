// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// Deposit addresses without keys. A payment's address is where ForwarderFactory would create a Forwarder for its
// salt (EIP-1014): it receives before anything is there. Whoever calls sweepMany creates what is missing and moves
// all that has come to the treasury, which is fixed for ever: nobody owns these contracts, nothing in them can be
// changed, and there is nothing in them to steal.

/// The one thing that a forwarder can do. Forwarders run it in their own place: `this` is the forwarder.
contract Sweeper {
    address private immutable treasury;

    /// `token` 0 is the chain's own coin.
    error NotSwept(address forwarder, address token);

    constructor(address treasury_) {
        treasury = treasury_;
    }

    /// Moves all of the coin and of these tokens to the treasury, or nothing at all. Who calls again from within
    /// moves the same to the same place: what is there is asked anew each time, and nothing is remembered.
    function sweep(address[] calldata tokens) external {
        uint256 units = address(this).balance;
        if (units != 0) {
            (bool isPaid,) = treasury.call{value: units}("");
            if (!isPaid) revert NotSwept(address(this), address(0));
        }
        for (uint256 i = 0; i < tokens.length; ++i) {
            _sweepToken(tokens[i]);
        }
    }

    /// Tokens that answer nothing to a transfer have done it; those that answer anything but true have not.
    function _sweepToken(address token) private {
        (bool isTold, bytes memory held) =
            token.staticcall(abi.encodeWithSignature("balanceOf(address)", address(this)));
        if (!isTold || held.length < 32) revert NotSwept(address(this), token);
        uint256 units = abi.decode(held, (uint256));
        if (units == 0) return; // some tokens refuse to move nothing
        (bool isMoved, bytes memory said) =
            token.call(abi.encodeWithSignature("transfer(address,uint256)", treasury, units));
        if (!isMoved || (said.length != 0 && (said.length < 32 || abi.decode(said, (uint256)) != 1))) {
            revert NotSwept(address(this), token);
        }
    }
}

/// What is at a deposit address after its first sweep. It keeps taking the coin, also from senders that allow no more
/// than 2300 gas for it, and leaves all else to its factory's Sweeper.
contract Forwarder {
    address private immutable sweeper;

    /// Asked of the factory, so that the code that creates a forwarder is always the same: addresses follow from it.
    constructor() payable {
        sweeper = ForwarderFactory(msg.sender).sweeper();
    }

    receive() external payable {}

    fallback() external {
        address to = sweeper;
        assembly {
            calldatacopy(0, 0, calldatasize())
            let isDone := delegatecall(gas(), to, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            if isDone { return(0, returndatasize()) }
            revert(0, returndatasize())
        }
    }
}

/// Creates forwarders and sweeps them. Its own address follows from the treasury, when the deployer is always the same.
contract ForwarderFactory {
    address public immutable treasury;
    address public immutable sweeper;
    bytes32 private immutable forwarderHash;

    error NoTreasury();

    constructor(address treasury_) {
        if (treasury_ == address(0)) revert NoTreasury();
        treasury = treasury_;
        sweeper = address(new Sweeper(treasury_));
        forwarderHash = keccak256(type(Forwarder).creationCode);
    }

    /// The deposit address of a salt (EIP-1014), whether or not anything is there yet.
    function forwarderOf(bytes32 salt) public view returns (address) {
        return address(uint160(uint256(keccak256(abi.encodePacked(hex"ff", address(this), salt, forwarderHash)))));
    }

    /// Sweeps the coin and each of these tokens from the forwarders of these salts: all of it, or nothing.
    function sweepMany(bytes32[] calldata salts, address[] calldata tokens) external {
        for (uint256 i = 0; i < salts.length; ++i) {
            address forwarder = forwarderOf(salts[i]);
            if (forwarder.code.length == 0) new Forwarder{salt: salts[i]}();
            Sweeper(forwarder).sweep(tokens);
        }
    }
}
