// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// Tokens and payers that are not as the standard has them: what forwarders have to live with.

interface Factory {
    function sweepMany(bytes32[] calldata salts, address[] calldata tokens) external;
}

/// Tells of nothing when it moves, as USDT does, and refuses to move nothing.
contract SaysNothing {
    mapping(address => uint256) public balanceOf;
    event Transfer(address indexed sender, address indexed receiver, uint256 units);

    constructor(uint256 supply) {
        balanceOf[msg.sender] = supply;
    }

    function transfer(address receiver, uint256 units) external virtual {
        require(units != 0, "nothing");
        move(receiver, units);
    }

    function move(address receiver, uint256 units) internal {
        balanceOf[msg.sender] -= units;
        balanceOf[receiver] += units;
        emit Transfer(msg.sender, receiver, units);
    }
}

/// Says false, and moves nothing, when one of those that it has blocked wants to send.
contract SaysNo {
    mapping(address => uint256) public balanceOf;
    mapping(address => bool) public isBlocked;

    constructor(uint256 supply) {
        balanceOf[msg.sender] = supply;
    }

    function blockAddress(address holder) external {
        isBlocked[holder] = true;
    }

    function transfer(address receiver, uint256 units) external returns (bool) {
        if (isBlocked[msg.sender]) return false;
        balanceOf[msg.sender] -= units;
        balanceOf[receiver] += units;
        return true;
    }

    function decimals() external pure returns (uint8) {
        return 18;
    }
}

/// Keeps a tenth of all that moves.
contract TakesAFee {
    mapping(address => uint256) public balanceOf;

    constructor(uint256 supply) {
        balanceOf[msg.sender] = supply;
    }

    function transfer(address receiver, uint256 units) external returns (bool) {
        balanceOf[msg.sender] -= units;
        balanceOf[receiver] += units - units / 10;
        return true;
    }
}

/// Sweeps once more before it moves anything.
contract Reenters is SaysNothing {
    Factory public factory;
    bytes32[] private salts;
    address[] private tokens;
    uint256 public times;

    constructor(uint256 supply, address factory_) SaysNothing(supply) {
        factory = Factory(factory_);
        salts.push(bytes32(uint256(1)));
        salts.push(bytes32(uint256(2)));
        tokens.push(address(this));
    }

    function transfer(address receiver, uint256 units) external override {
        if (msg.sender.code.length != 0 && times < 2) {
            times += 1;
            factory.sweepMany(salts, tokens);
        }
        if (balanceOf[msg.sender] >= units) move(receiver, units);
    }
}

/// A treasury that sweeps once more whenever it is paid.
contract GreedyTreasury {
    Factory public factory;
    bytes32[] private salts;

    function know(address factory_) external {
        factory = Factory(factory_);
        salts.push(bytes32(uint256(1)));
        salts.push(bytes32(uint256(2)));
    }

    receive() external payable {
        factory.sweepMany(salts, new address[](0));
    }
}

/// A treasury that takes no coin.
contract ShutTreasury {}

/// A wallet that is a contract: no transaction of its payments is to the receiver.
contract Purse {
    receive() external payable {}

    /// As wallets pay, with as much gas as there is.
    function pay(address payable receiver, uint256 units) external {
        (bool isPaid,) = receiver.call{value: units}("");
        require(isPaid, "not paid");
    }

    /// As old contracts pay: the receiver has 2300 gas.
    function payMeanly(address payable receiver, uint256 units) external {
        (bool isPaid,) = receiver.call{value: units, gas: 0}("");
        require(isPaid, "not paid");
    }
}
