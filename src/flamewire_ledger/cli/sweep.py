"""`flamewire chains sweep`, `factory` and `unseen`: what is at deposit addresses, and calls for a wallet to send.

The ledger has no key, and sends nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer

from flamewire_ledger.chains.addresses import parse_evm
from flamewire_ledger.chains.chain import ChainUnavailable
from flamewire_ledger.chains.ethereum.sweep import NothingToSweepWith
from flamewire_ledger.chains.forwarders import DEPLOYER, deployment_of, factory_of
from flamewire_ledger.cli.faults import NOT_SO, SERVICE_MISSING, WRONG_USE, CommandError
from flamewire_ledger.cli.output import print_json, print_table, say
from flamewire_ledger.cli.session import visit
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.rejection import InvalidAddress
from flamewire_ledger.wiring import Ledger
from flamewire_ledger.wiring.sweeping import Sweeping, Unseen, planned_sweep, unseen_at

T = TypeVar("T")
_Json = Annotated[bool, typer.Option("--json")]
_DataDir = Annotated[Path | None, typer.Option()]
_Indexes = Annotated[
    list[str] | None,
    typer.Argument(help="Numbers of addresses, such as 3 or 5-9; all that were given out."),
]
_RANGE_MAX: Final = 10_000


def factory(
    treasury: Annotated[str, typer.Argument(help="Where all deposits are to go, 0x….")],
    as_json: _Json = False,
) -> None:
    """Where the forwarders' factory of a treasury is, on every EVM chain; the call that creates it."""
    treasury = _address(treasury)
    if int(treasury, 16) == 0:
        raise CommandError(
            "Nobody has the key of this address: name a treasury of yours.", WRONG_USE
        )
    call = {
        "to": DEPLOYER,
        "value": "0x0",
        "data": "0x" + deployment_of(treasury).hex(),
    }
    found = {"factory": factory_of(treasury), "treasury": treasury, "deployment": call}
    if as_json:
        print_json(found)
        return
    typer.echo(f'forwarders = {{ factory = "{found["factory"]}", treasury = "{treasury}" }}')
    say("That line goes into the networks file, in the place of xpub. Addresses work before the")
    say("factory is created; with --json you get the call that creates it, for any wallet to send.")


def sweep(
    network: Annotated[str, typer.Argument(help="A network with forwarders, such as base.")],
    indexes: _Indexes = None,
    sender: Annotated[
        str | None, typer.Option("--from", help="Who will send it; matters for the gas only.")
    ] = None,
    as_json: _Json = False,
    data_dir: _DataDir = None,
) -> None:
    """What forwarders hold, and the unsigned calls that move it to the treasury. Nothing is sent."""
    wanted = _indexes(indexes or [])
    given = None if sender is None else _address(sender)

    async def action(ledger: Ledger) -> Sweeping:
        return await planned_sweep(ledger, network, wanted, given)

    found = _visit(action, network, data_dir)
    if as_json:
        print_json(_rendered(found))
    else:
        _show(found)


def unseen(
    network: Annotated[str, typer.Argument(help="An EVM network of the networks file.")],
    indexes: _Indexes = None,
    as_json: _Json = False,
    data_dir: _DataDir = None,
) -> int:
    """What lies at deposit addresses and no transfer told of, by its balance. Exit code 1: something.

    Addresses that were emptied before are left out: what came and went is in no balance.
    """
    wanted = _indexes(indexes or [])

    async def action(ledger: Ledger) -> tuple[str, Sequence[Unseen]]:
        return await unseen_at(ledger, network, wanted)

    called, found = _visit(action, network, data_dir)
    if as_json:
        print_json({"network": called, "unseen": [_unseen(each) for each in found]})
    else:
        rows = [(each.index, each.address, _line([each.amount]), each.payment_id) for each in found]
        print_table(("index", "address", "amount", "payment"), rows)
    return NOT_SO if found else 0


def _visit(action: Callable[[Ledger], Awaitable[T]], network: str, data_dir: Path | None) -> T:
    try:
        return visit(action, data_dir=data_dir)
    except NothingToSweepWith as error:
        raise CommandError(f"{error}.", WRONG_USE) from None
    except ChainUnavailable as error:
        sentence = f"{network} does not answer: {error}. Try again."
        raise CommandError(sentence, SERVICE_MISSING) from None


def _rendered(found: Sweeping) -> Mapping[str, Any]:
    plan = found.plan
    return {
        "network": found.network,
        "chain_id": f"eip155:{found.evm_chain_id}",
        "factory": found.forwarders.factory,
        "treasury": found.forwarders.treasury,
        "needs_factory": plan.needs_factory,
        "calls": [
            {"does": call.does, "transaction": call.transaction(found.evm_chain_id)}
            for call in plan.calls
        ],
        "sweeps": [
            {"index": held.index, "address": held.address, "amounts": _texts(held.amounts)}
            for held in plan.swept
        ],
        "total": _texts(_sums(amount for held in plan.swept for amount in held.amounts)),
        "stuck": [
            {
                "index": held.index,
                "address": held.address,
                "amounts": _texts(held.amounts),
                "because_of": symbol,
            }
            for held, symbol in plan.stuck
        ],
        "unseen": [_unseen(each) for each in found.unseen],
    }


def _unseen(each: Unseen) -> Mapping[str, Any]:
    return {
        "index": each.index,
        "address": each.address,
        "payment_intent_id": each.payment_id,
        "amounts": _texts([each.amount]),
    }


def _show(found: Sweeping) -> None:
    plan = found.plan
    rows = [(held.index, held.address, _line(held.amounts)) for held in plan.swept]
    print_table(("index", "address", "amounts"), rows)
    for held, symbol in plan.stuck:
        say(f"{held.index} at {held.address} stays: its {symbol} does not move. Sweep it later.")
    for each in found.unseen:
        say(
            f"{each.index} at {each.address} has {_line([each.amount])} that no transfer told of: a "
            f"contract passed it on. It belongs to {each.payment_id or 'no payment'}."
        )
    if plan.needs_factory:
        say("The factory is not created yet: send the call of --json, then plan again.")
    elif plan.calls:
        say(f"{len(plan.calls)} unsigned calls, for any wallet to send: see them with --json.")
    else:
        say("There is nothing to sweep.")


def _sums(amounts: Iterable[Amount]) -> Sequence[Amount]:
    sums: dict[str, Amount] = {}
    for amount in amounts:
        before = sums.get(amount.asset.code)
        sums[amount.asset.code] = amount if before is None else before + amount
    return list(sums.values())


def _texts(amounts: Iterable[Amount]) -> Mapping[str, str]:
    return {amount.asset.symbol: amount.text for amount in amounts}


def _line(amounts: Iterable[Amount]) -> str:
    return ", ".join(f"{amount.text} {amount.asset.symbol}" for amount in amounts)


def _indexes(given: Sequence[str]) -> Sequence[int]:
    found: list[int] = []
    for text in given:
        first, dash, last = text.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise CommandError(f"{text} is no number and no range such as 5-9.", WRONG_USE)
        numbers = range(int(first), int(last or first) + 1)
        if len(numbers) + len(found) > _RANGE_MAX:
            raise CommandError(f"Plan {_RANGE_MAX} addresses at once at most.", WRONG_USE)
        found += numbers
    return found


def _address(text: str) -> str:
    try:
        return parse_evm(text)
    except InvalidAddress as error:
        raise CommandError(f"{text}: {error.detail}.", WRONG_USE) from None
