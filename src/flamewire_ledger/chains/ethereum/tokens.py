"""Whether the tokens of the networks file are what the chain has at their addresses.

Wrong decimals would make every amount wrong by powers of ten, and where no contract is nothing can
arrive: both stop the ledger before it believes a transfer.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeAlias

from flamewire_ledger.chains.chain import (
    ChainUnavailable,
    QuestionRefused,
    Token,
    WrongToken,
)

_log = logging.getLogger(__name__)

DECIMALS_CALL: Final = "0x313ce567"  # the first four bytes of keccak256("decimals()")
_WORD: Final = 2 + 64  # characters
Ask: TypeAlias = Callable[[Sequence[tuple[str, list[Any]]]], Awaitable[list[Any]]]


async def check_tokens(network: str, tokens: Sequence[Token], ask: Ask) -> None:
    """Of tokens with a contract, on the network of this name.

    Raises WrongToken with what to correct; ChainUnavailable while nobody can say.
    """
    codes = await ask([("eth_getCode", [token.contract, "latest"]) for token in tokens])
    for token, code in zip(tokens, codes, strict=True):
        if not isinstance(code, str):
            raise ChainUnavailable("eth_getCode: the node's answer makes no sense")
        if not code.removeprefix("0x"):
            await _refuse_to_judge_while_syncing(ask)
            raise WrongToken(
                f"there is no contract at {token.contract} on {network}: correct the contract "
                f"of token {token.asset.symbol} in the networks file"
            )
    for token in tokens:
        await _check_decimals(network, token, ask)


async def _refuse_to_judge_while_syncing(ask: Ask) -> None:
    """A node that has not caught up has no contracts yet: the file may be right."""
    try:
        (answer,) = await ask([("eth_syncing", [])])
    except QuestionRefused:
        return
    if answer:
        raise ChainUnavailable("the node is still syncing: it cannot say what contracts there are")


async def _check_decimals(network: str, token: Token, ask: Ask) -> None:
    """ERC-20 lets a token keep its decimals to itself: then the file is believed."""
    call = {"to": token.contract, "data": DECIMALS_CALL}
    try:
        (answer,) = await ask([("eth_call", [call, "latest"])])
    except ChainUnavailable as error:
        if "revert" not in str(error):
            raise
        answer = "0x"
    if not isinstance(answer, str) or len(answer) != _WORD:
        _log.warning("token %s does not say its decimals: the file does", token.asset.code)
        return
    try:
        decimals = int(answer, 16)
    except ValueError:
        raise ChainUnavailable("decimals(): the node's answer makes no sense") from None
    if decimals != token.asset.decimals:
        raise WrongToken(
            f"token {token.asset.symbol} on {network} has {decimals} decimals, "
            f"not {token.asset.decimals}: correct its decimals or its contract in the networks file"
        )
