"""The guide to proofs of ownership: what it shows is asked, signed and answered so."""

from __future__ import annotations

import json
import re
from pathlib import Path

from flamewire_ledger.api.parts import Offer
from tests.api.wallets import ethereum
from tests.api.world import World, world

PAGE = (Path(__file__).parents[2] / "docs/guides/prove-an-address.md").read_text()
SHOWN = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
CHALLENGES = "/v1/ownership/challenges"


async def told(ledger: World) -> list[object]:
    """Everything that the guide shows, asked and answered now."""
    account = (await ledger.post("/v1/credit_accounts", {}, once="account-1")).json()["id"]
    wallet = ethereum()
    asked = {
        "network": "ethereum",
        "address": wallet.address,
        "purpose": "refund",
        "credit_account_id": account,
    }
    challenge = (await ledger.post(CHALLENGES, asked, once="challenge-1")).json()
    proof = {"signature": wallet.sign(challenge["message"])}
    path = f"{CHALLENGES}/{challenge['id']}/proof"
    registered = (await ledger.post(path, proof, once="proof-1")).json()
    return [asked, challenge, proof, registered]


async def test_the_guide_shows_what_is_answered():
    async with world(offer=Offer(challenge_domain="pay.example")) as ledger:
        assert await told(ledger) == SHOWN


def test_the_guide_shows_the_message_as_a_wallet_does():
    (message,) = re.findall(r"```text\n(.*?)\n```", PAGE, re.DOTALL)
    assert message == SHOWN[1]["message"]
