"""Sweeping forwarders without keys: which have something, and the calls that move it to the treasury.

Nothing is sent from here. A call is what any wallet can send, whoever's it is: where the money goes
is fixed in the contracts, and the sender pays for the gas and no more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from flamewire_ledger.chains.chain import ChainUnavailable, Deposit, Network, Token
from flamewire_ledger.chains.forwarders import (
    DEPLOYER,
    Forwarders,
    deployment_of,
    salt_of,
    sweep_many,
)
from flamewire_ledger.domain.money import Amount

Ask: TypeAlias = Callable[[Sequence[tuple[str, list[Any]]]], Awaitable[list[Any]]]
# A transaction may take 2^24 gas (EIP-7825), and the limit of a call has a fifth to spare: so a forwarder
# may take 170 000. Its first sweep takes 80 000 with the coin and two tokens, before refunds 100 000.
FORWARDERS_A_CALL_MAX: Final = 80
_INDEXES_AT_ONCE: Final = 500
_BALANCE_OF: Final = "0x70a08231"  # the first four bytes of keccak256("balanceOf(address)")


class NothingToSweepWith(Exception):
    """This network cannot be swept. The message says why."""


@dataclass(frozen=True, slots=True)
class Call:
    """A transaction that nobody has signed, and what it does."""

    does: str
    to: str
    data: str
    gas: int

    def transaction(self, evm_chain_id: int) -> Mapping[str, str]:
        """As eth_sendTransaction takes it, and wallets do."""
        return {
            "chainId": hex(evm_chain_id),
            "to": self.to,
            "value": "0x0",
            "data": self.data,
            "gas": hex(self.gas),
        }


@dataclass(frozen=True, slots=True)
class Held:
    """What is at a deposit address now."""

    index: int
    address: str
    amounts: tuple[Amount, ...]  # of what is not nothing
    was_emptied: bool  # once, at least: then there may have been more than this

    def has(self, token: Token) -> bool:
        return any(amount.asset == token.asset for amount in self.amounts)


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """The calls, what they move, and what cannot be moved."""

    calls: tuple[Call, ...]
    swept: tuple[Held, ...]
    stuck: tuple[tuple[Held, str], ...]  # the symbol of what does not move
    needs_factory: bool  # the only call creates the factory; plan again when it is in a block


async def plan_sweep(
    network: Network,
    forwarders: Forwarders | None,
    indexes: Sequence[int],
    ask: Ask,
    *,
    sender: str | None = None,
) -> SweepPlan:
    """The calls for what these addresses hold now, of the coin and of the configured tokens.

    Raises NothingToSweepWith and ChainUnavailable.
    """
    if forwarders is None:
        raise NothingToSweepWith(
            f"{network.name} has an xpub: its deposits are addresses of your wallet, which spends them"
        )
    held = await held_at(network, forwarders.deposit, indexes, ask)
    if not held:
        return SweepPlan((), (), (), needs_factory=False)
    if not await _is_there(forwarders.factory, ask):
        return SweepPlan((await _deployment(network, forwarders, ask),), held, (), True)
    calls: list[Call] = []
    stuck: list[tuple[Held, str]] = []
    for first in range(0, len(held), FORWARDERS_A_CALL_MAX):
        some = held[first : first + FORWARDERS_A_CALL_MAX]
        estimate = _Estimate(network, forwarders, sender, ask)
        call, left_out = await estimate.call_for(some)
        calls += [call] if call is not None else []
        stuck += left_out
    stays = {each.index for each, _ in stuck}
    swept = tuple(each for each in held if each.index not in stays)
    return SweepPlan(tuple(calls), swept, tuple(stuck), needs_factory=False)


async def held_at(
    network: Network,
    deposit: Callable[[int], Deposit],
    indexes: Sequence[int],
    ask: Ask,
) -> tuple[Held, ...]:
    """Those of these deposits that hold something, of the coin or a configured token, by number."""
    wanted = sorted(set(indexes))
    found: list[Held] = []
    for first in range(0, len(wanted), _INDEXES_AT_ONCE):
        some = wanted[first : first + _INDEXES_AT_ONCE]
        places = [(each, deposit(each).address) for each in some]
        found += await _some_held(network, places, ask)
    return tuple(found)


async def sums_at(
    network: Network, addresses: Collection[str], ask: Ask, block: str
) -> Mapping[str, int]:
    """What these addresses have together, by asset, of the coin and of each configured token."""
    wanted = sorted(set(addresses))
    sums = dict.fromkeys((token.asset.code for token in network.tokens), 0)
    for first in range(0, len(wanted), _INDEXES_AT_ONCE):
        some = wanted[first : first + _INDEXES_AT_ONCE]
        for amounts in await _amounts(network, some, ask, block):
            for amount in amounts:
                sums[amount.asset.code] += amount.units
    return sums


async def _amounts(
    network: Network, addresses: Sequence[str], ask: Ask, block: str
) -> Sequence[tuple[Amount, ...]]:
    """What each has, of what is not nothing."""
    tokens = network.tokens
    questions = [_balance(token, address, block) for address in addresses for token in tokens]
    answers = iter(await ask(questions))
    found: list[tuple[Amount, ...]] = []
    for _ in addresses:
        units = [(token.asset, _number(next(answers))) for token in tokens]
        found.append(tuple(Amount(asset, some) for asset, some in units if some))
    return found


async def _some_held(
    network: Network, places: Sequence[tuple[int, str]], ask: Ask
) -> Sequence[Held]:
    found: list[tuple[int, str, tuple[Amount, ...]]] = []
    every = await _amounts(network, [address for _, address in places], ask, "latest")
    for (index, address), amounts in zip(places, every, strict=True):
        if amounts:
            found.append((index, address, amounts))
    # A wallet's address that has sent has a nonce, and so has a forwarder that was created (EIP-161).
    nonces = await ask([("eth_getTransactionCount", [each[1], "latest"]) for each in found])
    return [
        Held(*each, was_emptied=_number(nonce) > 0)
        for each, nonce in zip(found, nonces, strict=True)
    ]


def _balance(token: Token, address: str, block: str) -> tuple[str, list[Any]]:
    if token.contract is None:
        return "eth_getBalance", [address, block]
    data = f"{_BALANCE_OF}{address[2:].lower():0>64}"
    return "eth_call", [{"to": token.contract, "data": data}, block]


async def _is_there(address: str, ask: Ask) -> bool:
    (code,) = await ask([("eth_getCode", [address, "latest"])])
    return len(code) > 2


async def _deployment(network: Network, forwarders: Forwarders, ask: Ask) -> Call:
    """What creates the factory; it is the same for everybody, and anybody may send it."""
    if not await _is_there(DEPLOYER, ask):
        raise NothingToSweepWith(
            f"{network.name} has no deterministic deployer at {DEPLOYER}: put it there first, or the "
            "factory cannot have the address in the networks file"
        )
    data = "0x" + deployment_of(forwarders.treasury).hex()
    gas = await _gas(None, DEPLOYER, data, ask)
    return Call(f"create the factory {forwarders.factory}", DEPLOYER, data, gas)


async def _gas(sender: str | None, to: str, data: str, ask: Ask) -> int:
    """With a fifth more than it takes now: something may arrive before it is sent.

    The treasury is a bad guess for a sender: in the estimate it would be no new account any more.
    """
    call = {"to": to, "data": data} if sender is None else {"from": sender, "to": to, "data": data}
    (gas,) = await ask([("eth_estimateGas", [call])])
    return _number(gas) * 6 // 5


class _Estimate:
    """Calls of one factory, tried out at a node."""

    def __init__(
        self, network: Network, forwarders: Forwarders, sender: str | None, ask: Ask
    ) -> None:
        self._network = network
        self._forwarders = forwarders
        self._sender = sender
        self._ask = ask

    async def call_for(
        self, held: Sequence[Held]
    ) -> tuple[Call | None, Sequence[tuple[Held, str]]]:
        """One call for all of these, or for all but those that do not move and would stop the rest."""
        gas = await self._gas(held, self._tokens(held))
        if gas is not None:
            return self._call(held, gas), ()
        stuck = [(each, why) for each in held if (why := await self._stuck(each)) is not None]
        stays = {each.index for each, _ in stuck}
        movable = [each for each in held if each.index not in stays]
        if not movable:
            return None, stuck
        gas = await self._gas(movable, self._tokens(movable))
        if gas is None:
            raise ChainUnavailable("each of these forwarders can be swept, and not all together")
        return self._call(movable, gas), stuck

    async def _stuck(self, held: Held) -> str | None:
        """The symbol of what stops this forwarder from being swept; None if nothing does."""
        for token in self._network.tokens:
            if held.has(token) and await self._gas([held], _contracts([token])) is None:
                return token.asset.symbol
        return None

    def _tokens(self, held: Sequence[Held]) -> Sequence[str]:
        return _contracts(
            [token for token in self._network.tokens if any(each.has(token) for each in held)]
        )

    def _call(self, held: Sequence[Held], gas: int) -> Call:
        does = f"sweep {len(held)} addresses to {self._forwarders.treasury}"
        return Call(does, self._forwarders.factory, self._data(held, self._tokens(held)), gas)

    def _data(self, held: Sequence[Held], tokens: Sequence[str]) -> str:
        return "0x" + sweep_many([salt_of(each.index) for each in held], tokens).hex()

    async def _gas(self, held: Sequence[Held], tokens: Sequence[str]) -> int | None:
        """What the sweep takes; None when it is undone."""
        data = self._data(held, tokens)
        try:
            return await _gas(self._sender, self._forwarders.factory, data, self._ask)
        except ChainUnavailable as error:
            if "revert" not in str(error):
                raise
            return None


def _contracts(tokens: Sequence[Token]) -> Sequence[str]:
    return [token.contract for token in tokens if token.contract is not None]


def _number(answer: Any) -> int:
    try:
        return int(answer, 16)
    except (TypeError, ValueError):
        raise ChainUnavailable("the node's number makes no sense") from None
