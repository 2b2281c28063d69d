"""The tree of commands, and the one place where an exception becomes a sentence and an exit code."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence

import typer

from flamewire_ledger.cli import (
    archive,
    chains,
    credit,
    disposals,
    dlq,
    export,
    keys,
    migrate,
    prices,
    projection,
    reconcile,
    replay,
    report,
    sandbox,
    serve,
    signature,
    up,
    verify,
    webhooks,
)
from flamewire_ledger.cli.faults import WRONG_USE, explain
from flamewire_ledger.cli.output import say

app = typer.Typer(
    name="flamewire",
    help="A crypto-payments ledger: take TAO, ETH, USDC and SUI; prove every digit.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("up")(up.up)
app.command("migrate")(migrate.migrate)
app.command("replay")(replay.replay)
app.command("export")(export.export)
app.command("verify")(verify.verify)
app.command("reconcile")(reconcile.reconcile)
app.command("serve")(serve.serve)
app.add_typer(keys.app, name="keys")
app.add_typer(projection.app, name="projection")
app.add_typer(dlq.app, name="dlq")
app.add_typer(archive.app, name="archive")
app.add_typer(chains.app, name="chains")
app.add_typer(credit.app, name="credits")
app.add_typer(disposals.app, name="disposals")
app.add_typer(prices.app, name="prices")
app.add_typer(report.app, name="report")
app.add_typer(sandbox.app, name="sandbox")
app.add_typer(signature.app, name="signature")
app.add_typer(webhooks.app, name="webhooks")


# Typer carries its own click and exports only the tip of its exceptions.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    command = typer.main.get_command(app)
    try:
        result = command.main(list(arguments), prog_name="flamewire", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except typer.Exit as done:
        return done.exit_code
    except _UsageError as error:
        say(_usage_sentence(error))
        return WRONG_USE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whoever read us has seen enough
        return 0
    except Exception as error:  # noqa: BLE001 - the edge: what is not expected is shown, once
        explained = explain(error)
        if explained is None:
            traceback.print_exc()
            return 70
        say(str(explained))
        return explained.exit_code


def _usage_sentence(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "flamewire"
    if type(error).__name__ == "NoArgsIsHelpError":  # its message is the help itself
        return str(error)
    message = error.format_message() if isinstance(error, typer.BadParameter) else str(error)
    sentence = " ".join(message.replace("Value error, ", "").split()).rstrip(".")
    return f"{sentence or 'Say what to do'}: see `{path} --help`."
