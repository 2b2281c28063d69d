"""Books with something of everything in them: payments in several assets, prices, refunds, credits."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flamewire_ledger.commands import price as price_commands
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.identifiers import command_id, encode, uuid7
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.posting import REFUNDS_PAYABLE, Posting, wallet
from flamewire_ledger.domain.price import ObservePrice, SourceSaid, owner_id, price_id
from flamewire_ledger.domain.transfer import Transfer
from flamewire_ledger.domain.unclaimed_transfer import UnclaimedTransferGivenUp
from flamewire_ledger.store.event_store import Append, StreamAppend
from tests.api.test_portfolio import arrive, due, intent
from tests.api.world import World

TAO = Asset("bittensor:TAO", 9)
ETH = Asset("ethereum:ETH", 18)
ONE_TAO = 10**9


async def sample(ledger: World, symbol: str, dollars: str) -> None:
    """A price that was taken down now."""
    name = price_id(symbol, livemode=False)
    said = (SourceSaid("kraken", Decimal(dollars), None),)
    command = ObservePrice(name, symbol, Decimal(dollars), said, (), ledger.clock.now())
    ledger.sequence += 1
    origin = Origin(command_id("test", name, str(ledger.sequence)), owner_id(livemode=False), "t")
    assert isinstance(await ledger.writer.submit(price_commands.envelope(origin, command)), Done)


async def post(ledger: World, *postings: Posting, stream_id: str = "") -> int:
    """Postings that no command makes yet, such as money that is sent out; the position."""
    ledger.sequence += 1
    now = ledger.clock.now()
    stream_id = stream_id or encode("ut", uuid7(now, ledger.entropy(10)))
    transfer = Transfer("bittensor", f"0xout{ledger.sequence}", 0, "5F", postings[0].amount)
    event = UnclaimedTransferGivenUp(stream_id, transfer, "refund", "sent", postings, now)
    recorded = ledger.codec.encode(event)
    version = len(await ledger.store.read_stream(0, stream_id))
    append = Append(
        command_id("test", stream_id, str(ledger.sequence)),
        b"",
        ledger.merchant_id,
        b"{}",
        (StreamAppend(stream_id, version, (recorded,)),),
    )
    (verdict,) = await ledger.store.append(0, [append])
    return verdict.position  # type: ignore[union-attr]


async def send(ledger: World, amount: Amount, debit: str = REFUNDS_PAYABLE) -> int:
    """Money leaves a wallet, at the price of now."""
    network = amount.asset.network
    assert network is not None
    return await post(ledger, Posting(debit, wallet(network), amount))


async def bookkeeping(ledger: World) -> dict[str, Any]:
    """Paid in full, overpaid, late and given back, in credits; then some of it is sent out."""
    await sample(ledger, "TAO", "400")
    first = await intent(ledger)
    await arrive(ledger, first, "bittensor", due(first, "bittensor"))
    ledger.clock.turn(minutes=2)
    second = await intent(ledger)
    await arrive(ledger, second, "ethereum", 2 * due(second, "ethereum"))
    refund = {"choice": "refund", "reason": "too much"}
    answer = await ledger.post(f"/v1/payment_intents/{second['id']}/resolve", refund)
    assert answer.status_code == 200, answer.text
    third = await intent(ledger)
    await arrive(ledger, third, "bittensor", 3 * ONE_TAO, Asset("bittensor:ALPHA", 9))
    account = (await ledger.post("/v1/credit_accounts", {"name": "a reader"})).json()["id"]
    grant = {"amount": "100", "source": "promotion"}
    assert (await ledger.post(f"/v1/credit_accounts/{account}/grants", grant)).status_code == 201
    burnt = await ledger.post(f"/v1/credit_accounts/{account}/consume", {"amount": "2.5"})
    assert burnt.status_code == 200, burnt.text
    ledger.clock.turn(minutes=5)
    await sample(ledger, "TAO", "500")
    await sample(ledger, "ETH", "3600")
    position = await send(ledger, Amount(ETH, due(second, "ethereum")))
    await send(ledger, Amount(TAO, 20_000_000), "expenses:network_fees")
    return {"sent": position, "account": account, "first": first}
