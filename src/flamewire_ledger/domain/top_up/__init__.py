"""An automatic top-up: a rule that asks for a payment when credits run low, and never twice for one
lack.

Crypto is pushed by its owner, so a rule cannot take money: it asks for it, by a payment intent and a
notice with that intent in it. While one is open there is no other, and one whose money the chain took
back is open again: the money may be on its way still. One that came to nothing, or could not be made,
is followed by an hour of silence.
"""

from flamewire_ledger.domain.top_up.commands import (
    CloseTopUp,
    RefuseTopUp,
    RemoveTopUpRule,
    ReopenTopUp,
    RequestTopUp,
    SetTopUpRule,
    TopUpCommand,
)
from flamewire_ledger.domain.top_up.decisions import ALARM_WITHIN, BACK_OFF, decide, wanted_units
from flamewire_ledger.domain.top_up.facts import (
    Outcome,
    Payable,
    TopUpAlarmed,
    TopUpClosed,
    TopUpEvent,
    TopUpRefused,
    TopUpReopened,
    TopUpRequested,
    TopUpRuleRemoved,
    TopUpRuleSet,
)
from flamewire_ledger.domain.top_up.state import ALARM_REQUESTS, TopUp, evolve

__all__ = [
    "ALARM_REQUESTS",
    "ALARM_WITHIN",
    "BACK_OFF",
    "CloseTopUp",
    "Outcome",
    "Payable",
    "RefuseTopUp",
    "RemoveTopUpRule",
    "ReopenTopUp",
    "RequestTopUp",
    "SetTopUpRule",
    "TopUp",
    "TopUpAlarmed",
    "TopUpClosed",
    "TopUpCommand",
    "TopUpEvent",
    "TopUpRefused",
    "TopUpReopened",
    "TopUpRequested",
    "TopUpRuleRemoved",
    "TopUpRuleSet",
    "decide",
    "evolve",
    "wanted_units",
]
