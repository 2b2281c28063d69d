// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// Pays many in one transaction, out of what it was given: as exchanges and payrolls do.
contract TestSpreader {
    function spread(IERC20 token, address[] calldata receivers, uint256[] calldata units) external {
        require(receivers.length == units.length, "as many units as receivers");
        for (uint256 each = 0; each < receivers.length; each++) {
            require(token.transfer(receivers[each], units[each]), "a transfer failed");
        }
    }
}
