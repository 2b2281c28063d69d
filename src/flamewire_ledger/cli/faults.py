"""How a command ends: every error is one sentence that says what to do next, and an exit code that says what kind.

0 done · 1 the thing asked about is not so · 2 wrong use · 3 a service is missing.
"""

from __future__ import annotations

import psycopg
import psycopg_pool

from flamewire_ledger.chains.chain import ChainUnavailable, WrongChain
from flamewire_ledger.chains.networks import NetworksFileError
from flamewire_ledger.chains.observation import ListenerBusy
from flamewire_ledger.cli.postgres_errors import EmbeddedPostgresError
from flamewire_ledger.domain.rejection import Rejection
from flamewire_ledger.prices.feed import FeedUnavailable
from flamewire_ledger.processes.reconciliation.chain_side import ReconciliationRefused
from flamewire_ledger.processes.rescanning import RescanRefused
from flamewire_ledger.projector.catalog import CatalogError, UnknownProjection
from flamewire_ledger.projector.dead_letters import NoSuchLetter
from flamewire_ledger.queries.database import ReadModelNotBuilt
from flamewire_ledger.settings import SettingsError
from flamewire_ledger.store.event_store import StoreUnavailable
from flamewire_ledger.store.frames import ArchiveError, ArchiveMissing
from flamewire_ledger.store.migrate import MigrationError

NOT_SO = 1
WRONG_USE = 2
SERVICE_MISSING = 3


class CommandError(Exception):
    """A command cannot go on. `exit_code` says why, the message what to do."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def explain(error: BaseException) -> CommandError | None:
    """The sentence for an error that can be expected; None for one that is a fault of ours."""
    match error:
        case CommandError():
            return error
        case (
            SettingsError()
            | NetworksFileError()
            | WrongChain()
            | RescanRefused()
            | ReconciliationRefused()
            | CatalogError()
            | UnknownProjection()
        ):
            return CommandError(str(error), WRONG_USE)
        case ReadModelNotBuilt():
            return CommandError(
                "The read models are not built yet: start `flamewire serve projector`, or `flamewire up`.",
                SERVICE_MISSING,
            )
        case ChainUnavailable():
            return CommandError(
                f"The chain does not answer: {error}; see `flamewire chains status`.",
                SERVICE_MISSING,
            )
        case ListenerBusy():
            return CommandError(
                f"The ledger could not take it in: {error}; see that `flamewire up`, or a projector, runs.",
                SERVICE_MISSING,
            )
        case FeedUnavailable() | EmbeddedPostgresError() | MigrationError() | ArchiveMissing():
            return CommandError(str(error), SERVICE_MISSING)
        case NoSuchLetter() | ArchiveError():
            return CommandError(str(error), NOT_SO)
        case StoreUnavailable():  # libpq says why, in lines of its own
            why = " ".join(str(error).split()).removesuffix("?")
            return CommandError(
                f"{why}: see that FLAMEWIRE_DATABASE_URL is right.", SERVICE_MISSING
            )
        case Rejection():
            return CommandError(error.detail, WRONG_USE)
        case psycopg.errors.UndefinedTable() | psycopg.errors.InvalidSchemaName():
            return CommandError(
                "The database has no ledger yet: run `flamewire migrate`.", SERVICE_MISSING
            )
        case psycopg.OperationalError() | psycopg_pool.PoolTimeout():
            return CommandError(
                "The database does not answer: see that it runs and that FLAMEWIRE_DATABASE_URL is right.",
                SERVICE_MISSING,
            )
        case BaseExceptionGroup():
            for inner in error.exceptions:
                if (explained := explain(inner)) is not None:
                    return explained
            return None
        case _:
            return None
