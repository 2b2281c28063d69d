"""`flamewire chains factory` and `chains sweep`: what is printed for people and for programs, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from flamewire_ledger.chains.chain import ChainUnavailable
from flamewire_ledger.chains.ethereum.sweep import Call, Held, NothingToSweepWith, SweepPlan
from flamewire_ledger.chains.forwarders import DEPLOYER, Forwarders, factory_of
from flamewire_ledger.cli import sweep
from flamewire_ledger.cli.commands import run
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.wiring.sweeping import Sweeping, Unseen

TREASURY = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
FORWARDERS = Forwarders(factory_of(TREASURY), TREASURY)
ETH, USDC = Asset("base:ETH", 18), Asset("base:USDC", 6)


def test_the_factory_of_a_treasury_is_a_line_for_the_networks_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["chains", "factory", TREASURY.lower()]) == 0
    line = f'forwarders = {{ factory = "{FORWARDERS.factory}", treasury = "{TREASURY}" }}\n'
    assert capsys.readouterr().out == line
    assert run(["chains", "factory", TREASURY, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["factory"] == FORWARDERS.factory
    assert said["deployment"]["to"] == DEPLOYER


@pytest.mark.parametrize(
    "address", ["0x12", "treasury", TREASURY.replace("C5", "c5"), "0x" + "00" * 20]
)
def test_an_address_that_is_none_has_no_factory(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["chains", "factory", address]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("index", ["x", "-", "3-", "5-x", "0x10", "1-99999999"])
def test_what_is_no_number_is_refused(index: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["chains", "sweep", "base", "--", index]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[int]]:
    """What is planned for; the plan is always the same."""
    asked: list[Sequence[int]] = []
    one, two = (FORWARDERS.deposit(index).address for index in (1, 2))
    plan = SweepPlan(
        (Call("sweep 2 addresses", FORWARDERS.factory, "0xabcd", 100_000),),
        (
            Held(1, one, (Amount(ETH, 10**18), Amount(USDC, 2_500_000)), was_emptied=False),
            Held(2, two, (Amount(USDC, 500_000),), was_emptied=False),
        ),
        ((Held(3, two, (Amount(USDC, 1),), was_emptied=True), "USDC"),),
        needs_factory=False,
    )
    unseen = (Unseen(1, one, "pi_one", Amount(ETH, 10**18)),)

    async def planned(_: object, __: str, indexes: Sequence[int], ___: str | None) -> Sweeping:
        asked.append(indexes)
        return Sweeping("base", 8453, FORWARDERS, plan, unseen)

    def visit(action: object, **_: object) -> Sweeping:
        import asyncio

        return asyncio.run(action(None))  # type: ignore[operator]

    monkeypatch.setattr(sweep, "planned_sweep", planned)
    monkeypatch.setattr(sweep, "visit", visit)
    return asked


def test_numbers_and_ranges_say_what_is_swept(
    asked: list[Sequence[int]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["chains", "sweep", "base", "3", "5-9", "7", "--json"]) == 0
    assert asked == [[3, 5, 6, 7, 8, 9, 7]]


def test_a_program_gets_transactions_that_any_wallet_can_send(
    asked: list[Sequence[int]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["chains", "sweep", "base", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert asked == [[]]
    (one,) = said["calls"]
    assert one["transaction"] == {
        "chainId": "0x2105", "to": FORWARDERS.factory, "value": "0x0", "data": "0xabcd",
        "gas": "0x186a0",
    }  # fmt: skip
    assert said["total"] == {"ETH": "1.000000000000000000", "USDC": "3.000000"}
    assert said["stuck"][0]["because_of"] == "USDC"
    assert said["unseen"][0]["payment_intent_id"] == "pi_one"


def test_a_person_gets_a_table_and_what_to_look_at(
    asked: list[Sequence[int]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["chains", "sweep", "base"]) == 0
    out, err = capsys.readouterr()
    assert "2.500000 USDC" in out
    assert "its USDC does not move" in err
    assert "It belongs to pi_one" in err


def test_what_nobody_saw_come_is_listed_and_said_by_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [Unseen(1, TREASURY, "pi_one", Amount(ETH, 10**18))]
    monkeypatch.setattr(sweep, "visit", lambda *_, **__: ("base", found))
    assert run(["chains", "unseen", "base"]) == 1
    assert "pi_one" in capsys.readouterr().out
    assert run(["chains", "unseen", "base", "--json"]) == 1
    (one,) = json.loads(capsys.readouterr().out)["unseen"]
    assert one["amounts"] == {"ETH": "1.000000000000000000"}
    found.clear()
    assert run(["chains", "unseen", "base"]) == 0


@pytest.mark.parametrize(
    ("fault", "code"),
    [(NothingToSweepWith("base has an xpub"), 2), (ChainUnavailable("no endpoint"), 3)],
)
def test_what_cannot_be_planned_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fault: Exception,
    code: int,
) -> None:
    def visit(_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr(sweep, "visit", visit)
    assert run(["chains", "sweep", "base"]) == code
    assert len(capsys.readouterr().err.splitlines()) == 1
