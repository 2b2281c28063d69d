"""How the endpoints of a network are used, in the networks file: the same keys for every kind.

requests_per_second = 25              # of each endpoint, every question of a batch counted
quorum = 2                            # how many endpoints have to say the same
quorum_above = { USDC = "1000.00" }   # up to so much of an asset one of them is enough
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from flamewire_ledger.chains.chain import Token
from flamewire_ledger.chains.networks.table import Table
from flamewire_ledger.domain.money import Amount, MoneyError

_REQUESTS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class EndpointRules:
    """What the networks file says of a network's endpoints; without a word, one is enough."""

    requests_per_second: int | None = None
    quorum: int = 1
    # By asset code, in base units. What is not here needs no quorum: nobody asked for that asset.
    above_units: Mapping[str, int] = field(default_factory=dict)

    def needs_quorum(self, amount: Amount) -> bool:
        """Whether several endpoints have to attest a transfer of so much."""
        above = self.above_units.get(amount.asset.code)
        return self.quorum > 1 and above is not None and amount.units > above


def read_endpoint_rules(given: Table, tokens: Iterable[Token], endpoints: int) -> EndpointRules:
    """The rules for so many endpoints. Raises NetworksFileError."""
    requests = None
    if "requests_per_second" in given.table:
        requests = given.number("requests_per_second", least=1, most=_REQUESTS_MAX)
    quorum = given.number("quorum", 1, least=1)
    if quorum > endpoints:
        raise given.wrong("quorum", f"is {quorum}, and there are {endpoints} endpoints to ask")
    texts = given.typed("quorum_above", dict, 'a table such as { USDC = "1000.00" }', {})
    if texts and quorum == 1:
        raise given.wrong("quorum_above", "means nothing without a quorum of 2 or more")
    above = {token.asset.code: 0 for token in tokens}
    symbols = {token.asset.symbol: token.asset for token in tokens}
    for symbol, text in texts.items():
        asset = symbols.get(symbol)
        if asset is None:
            raise given.wrong("quorum_above", f"names {symbol}, which is no asset of this network")
        try:
            above[asset.code] = Amount.parse(text if isinstance(text, str) else "", asset).units
        except MoneyError as error:
            raise given.wrong("quorum_above", f"of {symbol}: {error}") from None
    return EndpointRules(requests, quorum, above)
