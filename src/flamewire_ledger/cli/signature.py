"""`flamewire signature`: whether an address signed something, without a ledger and without its database."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from flamewire_ledger.api.models.signatures import VerifySignature
from flamewire_ledger.api.signatures import BODY_BYTES_MAX, judge, rendered
from flamewire_ledger.chains.accounts import find_realm
from flamewire_ledger.chains.addresses import read_ss58, ss58_address
from flamewire_ledger.cli.faults import NOT_SO, SERVICE_MISSING, WRONG_USE, CommandError
from flamewire_ledger.cli.output import print_json, say
from flamewire_ledger.settings import read_settings
from flamewire_ledger.signatures.scheme import Invalid, Unverifiable
from flamewire_ledger.signatures.verifier import Verdict
from flamewire_ledger.wiring.chains import unasked_chains
from flamewire_ledger.wiring.signatures import verifier_of

app = typer.Typer(
    help="Who signed what; addresses of multisig accounts.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("verify")
def verify(
    network: Annotated[
        str, typer.Option(help="Such as bittensor, sui, or eip155:1; or one of the networks file.")
    ],
    address: Annotated[str, typer.Option(help="Who is said to have signed.")],
    signature: Annotated[
        str, typer.Option(help="0x and digits; base64 on Sui. A signed transaction has its own.")
    ] = "",
    kind: Annotated[
        str, typer.Option(help="message, personal_message, typed_data or transaction.")
    ] = "message",
    message: Annotated[str | None, typer.Option(help="What was signed, as text.")] = None,
    message_hex: Annotated[str | None, typer.Option(help="The same as 0x and digits.")] = None,
    message_base64: Annotated[str | None, typer.Option(help="The same in base64.")] = None,
    message_file: Annotated[
        Path | None, typer.Option(help="The same as it is in a file of text; - for stdin.")
    ] = None,
    scheme: Annotated[
        str | None, typer.Option(help="Such as sr25519; else what the signature says.")
    ] = None,
    owner: Annotated[
        list[str] | None, typer.Option(help="An owner, for scheme safe; may be given again.")
    ] = None,
    threshold: Annotated[int | None, typer.Option(help="How many owners have to sign.")] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> int:
    """Say whether an address signed this. Exit code 0: it did; 1: it did not, and why."""
    asked: dict[str, Any] = {
        "network": network,
        "address": address,
        "kind": kind,
        "message": _text(message_file) if message_file is not None else message,
        "message_hex": message_hex,
        "message_base64": message_base64,
        "signature": signature,
        "scheme": scheme,
    }
    if owner:
        asked["owners"] = {"addresses": owner, "threshold": threshold or len(owner)}
    verdict = _verdict(asked)
    if as_json:
        print_json(rendered(verdict))
    else:
        typer.echo("valid" if verdict.is_valid else f"invalid: {verdict.reason}")
        if verdict.reason is not None:
            say(f"{verdict.reason.sentence}.")
    return 0 if verdict.is_valid else NOT_SO


def _text(path: Path) -> str:
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(BODY_BYTES_MAX + 1)
        else:
            with path.open("rb") as file:
                data = file.read(BODY_BYTES_MAX + 1)
        return data.decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise CommandError(f"{path} cannot be read: {reason}.", WRONG_USE) from None


def _verdict(asked: dict[str, Any]) -> Verdict:
    try:
        body = VerifySignature.model_validate(asked)
    except ValidationError as error:
        (first, *_) = error.errors(include_url=False, include_input=False)
        where = ".".join(str(part) for part in first["loc"])
        what = f"--{where.replace('_', '-')}: {first['msg']}" if where else first["msg"]
        raise CommandError(f"{what}.", WRONG_USE) from None
    try:
        settings = read_settings()
        return asyncio.run(judge(body, unasked_chains(settings), verifier_of(settings)))
    except Unverifiable as error:
        raise CommandError(f"{error}.", SERVICE_MISSING) from None


@app.command("multisig")
def multisig(
    members: Annotated[list[str], typer.Argument(help="The addresses of its members.")],
    threshold: Annotated[int, typer.Option(help="How many of them have to approve.")],
    network: Annotated[str, typer.Option(help="A Substrate network.")] = "bittensor",
) -> None:
    """Print the address of a multisig account, whatever the order of its members."""
    from flamewire_ledger.signatures.substrate.multisig import multisig_account

    realm = find_realm(unasked_chains(read_settings()), network)
    if realm.family != "substrate":
        raise CommandError("Multisig accounts are made of addresses on Substrate.", WRONG_USE)
    accounts = [realm.account(member) for member in members]
    try:
        account = multisig_account(accounts, threshold)
    except Invalid as error:
        raise CommandError(f"{error}.", WRONG_USE) from None
    prefix, _ = read_ss58(realm.canonical(members[0]))
    typer.echo(ss58_address(account, prefix))
