"""`flamewire signature`: a verdict, an exit code, and one sentence for what is no question."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flamewire_ledger.cli.commands import run
from flamewire_ledger.signatures.evm.message import personal_digest
from tests.chains.test_networks import XPUB
from tests.services.anvil import CHAIN_ID, Anvil
from tests.signatures.claims import vectors
from tests.signatures.test_contracts import MESSAGE, WALLET, answers_for

RAW = next(it for it in vectors("substrate")["vectors"] if it["note"] == "raw ascii")
TYPED = next(it for it in vectors("ethereum")["vectors"] if it["id"] == "eth-046")
CLAIM = [
    "signature", "verify", "--network", "bittensor", "--address", RAW["address"],
    "--message", "sign in to ledger", "--signature", RAW["signature_hex"],
]  # fmt: skip


def test_a_signature_that_is_right(capsys: pytest.CaptureFixture[str]):
    assert run(CLAIM) == 0
    assert capsys.readouterr().out == "valid\n"
    assert run([*CLAIM, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"valid": True, "reason": None, "scheme": "sr25519"}


def test_a_signature_that_is_wrong_says_why(capsys: pytest.CaptureFixture[str]):
    assert run([*CLAIM, "--kind", "personal_message"]) == 1
    out, err = capsys.readouterr()
    assert out == "invalid: not_wrapped\n"
    assert "kind message" in err


def test_typed_data_come_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "typed.json"
    file.write_text(json.dumps(TYPED["typed"]))
    claim = [
        "--network",
        "eip155:1",
        "--address",
        TYPED["address"],
        "--signature",
        TYPED["signature"],
    ]
    claim += ["--kind", "typed_data", "--message-file", str(file)]
    assert run(["signature", "verify", *claim]) == 0
    file.write_bytes(b"\xff")
    assert run(["signature", "verify", *claim]) == 2
    assert "UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--network", "solana"], 2, "no such network"),
        (["--kind", "poem"], 2, "--kind"),
        (["--message-hex", "0x00"], 2, "one of"),
        (["--message-file", "/nowhere"], 2, "/nowhere"),
        (
            ["--network", "eip155:1", "--address", TYPED["address"], "--scheme", "eip1271"],
            3,
            "node",
        ),
    ],
)
def test_what_is_no_question_is_one_sentence(
    capsys: pytest.CaptureFixture[str], options: list[str], code: int, says: str
):
    assert run([*CLAIM, *options]) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert says in err


# As Python has what a command line has and UTF-8 has not.
NO_TEXT = b"a\xffb".decode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("option", "code"),
    [
        ("--message", 2),
        ("--message-hex", 2),
        ("--message-base64", 2),
        ("--network", 2),
        ("--scheme", 2),
        ("--address", 1),
        ("--signature", 1),
    ],
)
def test_what_is_no_utf_8_is_one_sentence(
    capsys: pytest.CaptureFixture[str], option: str, code: int
):
    claim = list(CLAIM)
    if option.startswith("--message"):
        at = claim.index("--message")
        del claim[at : at + 2]
    assert run([*claim, option, NO_TEXT]) == code
    out, err = capsys.readouterr()
    assert (out.startswith("invalid: "), err.count("\n")) == (code == 1, 1)
    assert "Traceback" not in err


def test_the_address_of_a_multisig_account(capsys: pytest.CaptureFixture[str]):
    for entry in vectors("substrate")["multisig"]:
        words = ["signature", "multisig", "--threshold", str(entry["threshold"])]
        assert run([*words, *entry["signatories"]]) == 0
        assert capsys.readouterr().out.strip() == entry["address"]
    (alice, *_) = entry["signatories"]
    assert run([*words, alice, alice]) == 2
    assert run([*words, "--network", "sui", alice]) == 2


NETWORKS = """
[[network]]
name = "local"
kind = "ethereum"
chain_id = {chain_id}
rpc_urls = ["{url}"]
xpub = "{xpub}"
livemode = false

[[network]]
name = "another"
kind = "substrate"
chain_id = "polkadot:68d56f15f85d3136970ec16946040bc1"
rpc_urls = ["ws://127.0.0.1:9"]
account = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
livemode = false
ss58_prefix = 42
coin = {{ symbol = "ROC", decimals = 12, slip44 = 1, existential_deposit = 3333333 }}
"""


def test_a_contract_is_asked_through_the_networks_file(
    anvil: Anvil,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    file = tmp_path / "networks.toml"
    file.write_text(NETWORKS.format(chain_id=CHAIN_ID, url=anvil.url, xpub=XPUB))
    monkeypatch.setenv("FLAMEWIRE_NETWORKS_FILE", str(file))
    anvil.rpc("anvil_setCode", WALLET, answers_for(personal_digest(MESSAGE)))
    claim = ["--network", f"eip155:{CHAIN_ID}", "--address", WALLET, "--scheme", "eip1271"]
    claim += ["--signature", "0x01"]
    asked = ["signature", "verify", *claim, "--message", MESSAGE.decode()]
    assert run(asked) == 0
    by_name = ["local" if word.startswith("eip155:") else word for word in asked]
    assert run(by_name) == 0
    assert run([*asked[:-1], "another"]) == 1
    assert "contract_refuses" in capsys.readouterr().out
    assert run(["another" if word == "bittensor" else word for word in CLAIM]) == 0
    anvil.kill()
    assert run(asked) == 3
    assert anvil.url not in capsys.readouterr().err
