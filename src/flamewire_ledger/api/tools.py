"""Tools: what a text can be, on the networks of the caller and the well-known ones."""

from __future__ import annotations

from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.models.tools import DetectValue
from flamewire_ledger.api.rendering import to_json
from flamewire_ledger.chains.accounts import realms
from flamewire_ledger.chains.detection import detect


async def detect_value(call: Call) -> Answer:
    body: DetectValue = call.body
    found = detect(body.value, realms(call.chains))
    candidates = [
        {
            "type": each.what,
            "network": each.network,
            "chain_id": each.chain_id,
            "canonical": each.canonical,
            "reason": each.reason,
        }
        for each in found.candidates
    ]
    return Answer(
        to_json(
            {
                "object": "detection",
                "ambiguous": found.is_ambiguous,
                "reason": found.reason,
                "candidates": candidates,
            }
        )
    )
