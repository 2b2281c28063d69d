"""The same tables as a persistence module of the library `eventsourcing`:
`PERSISTENCE_MODULE=flamewire_ledger.store.recorder`.

An application of that library has a log of its own here: a partition of `events`, with gapless
positions in commit order as notification ids. Settings are those of the library's own Postgres
module (POSTGRES_DBNAME, …), or FLAMEWIRE_DATABASE_URL. Tracking tables, connection pool and retries
are the library's; its database functions are never used, because the one that inserts takes no lock
and so loses events for readers.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.resources import files
from threading import Thread
from typing import Any, Final
from uuid import UUID

import psycopg
from eventsourcing import persistence, postgres
from eventsourcing.utils import Environment, EnvType, retry
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from flamewire_ledger.store.arrays import ByteaArray, Int4Array, TextArray, register_arrays
from flamewire_ledger.store.migrate import migrate_blocking
from flamewire_ledger.store.statements import read_statements

DATABASE_URL: Final = "FLAMEWIRE_DATABASE_URL"
_MIGRATIONS: Final = (1, 2, 4, 5)  # the log, and what is written for this module
_NUMBER_MAX: Final = 2**31 - 1
_POSITION_MAX: Final = 2**63 - 1
_POLL_SECONDS: Final = 1.0
_STATEMENTS: Final = read_statements(files(__package__) / "recorder.sql")
_persistently = retry(
    (persistence.InterfaceError, persistence.OperationalError), max_attempts=10, wait=0.2
)

# Connections of the library's pool take our arrays as parameters too.
register_arrays(psycopg.adapters)


class _Log(postgres.PostgresRecorder):
    """What the recorders share: one log, named as the library would name its table."""

    def __init__(
        self, datastore: postgres.PostgresDatastore, *, events_table_name: str = "stored_events"
    ) -> None:
        # Past the library's classes in between: they would prepare tables and types of their own.
        postgres.PostgresRecorder.__init__(self, datastore)
        self.check_identifier_length(events_table_name)
        self.events_table_name = events_table_name
        schema = Identifier(datastore.schema)
        self._sql = {
            name: SQL(statement.sql).format(schema=schema).as_bytes(None)
            for name, statement in _STATEMENTS.items()
        }

    def create_table(self) -> None:
        """Make the log, and before it the tables, if they are not there. Safe to do at once from
        many.
        """
        try:
            self._open_log()
        except persistence.ProgrammingError:
            migrate_blocking(_conninfo(self.datastore), only=_MIGRATIONS)
            self._open_log()
        super().create_table()

    def _open_log(self) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            cursor.execute(self._sql["open_log"], {"log": self.events_table_name})

    def _insert_stored_events(
        self,
        curs: psycopg.Cursor[Any],
        stored_events: Sequence[persistence.StoredEvent],
        **_: Any,
    ) -> None:
        # The library calls this within its transaction, after whatever goes with the events.
        curs.execute(
            self._sql["record"],
            {
                "log": self.events_table_name,
                "lock_timeout": int(self.datastore.lock_timeout),
                "streams": TextArray([str(event.originator_id) for event in stored_events]),
                "versions": Int4Array([event.originator_version for event in stored_events]),
                "types": TextArray([event.topic for event in stored_events]),
                "data": ByteaArray([event.state for event in stored_events]),
            },
            prepare=True,
        )

    @_persistently
    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[persistence.StoredEvent]:
        wanted = {
            "log": self.events_table_name,
            "stream": str(originator_id),
            "gt": -1 if gt is None else gt,
            "lte": _NUMBER_MAX if lte is None else lte,
            "limit": limit,
        }
        statement = self._sql["select_events_backwards" if desc else "select_events"]
        with self.datastore.get_connection() as connection:
            rows = connection.execute(statement, wanted, prepare=True).fetchall()
        return [
            persistence.StoredEvent(
                originator_id=self._originator_id(row["stream_id"]),
                originator_version=row["version"],
                topic=row["type"],
                state=bytes(row["data"]),
            )
            for row in rows
        ]

    def _originator_id(self, stream_id: str) -> UUID | str:
        if self.datastore.originator_id_type == "text":
            return stream_id
        try:
            return UUID(stream_id)
        except ValueError:
            return stream_id


class LedgerAggregateRecorder(_Log, postgres.PostgresAggregateRecorder):
    """A log that is read by originator only: snapshots, say."""


class LedgerApplicationRecorder(_Log, postgres.PostgresApplicationRecorder):
    """A log that is read by position too."""

    def _fetch_ids_after_insert_events(
        self,
        curs: psycopg.Cursor[Any],
        stored_events: Sequence[persistence.StoredEvent],
        **_: Any,
    ) -> Sequence[int]:
        return [row["position"] for row in curs.fetchall()]

    @_persistently
    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[persistence.Notification]:
        first = 0 if start is None else start
        wanted = {
            "log": self.events_table_name,
            "start": first if inclusive_of_start else first + 1,
            "stop": _POSITION_MAX if stop is None else stop,
            "types": list(topics) or None,
            "limit": limit,
        }
        with self.datastore.get_connection() as connection:
            rows = connection.execute(
                self._sql["select_notifications"], wanted, prepare=True
            ).fetchall()
        return [
            persistence.Notification(
                id=row["position"],
                originator_id=self._originator_id(row["stream_id"]),
                originator_version=row["version"],
                topic=row["type"],
                state=bytes(row["data"]),
            )
            for row in rows
        ]

    @_persistently
    def max_notification_id(self) -> int | None:
        with self.datastore.get_connection() as connection:
            row = connection.execute(
                self._sql["head"], {"log": self.events_table_name}, prepare=True
            ).fetchone()
        return row["head"] or None if row else None

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> persistence.Subscription[persistence.ApplicationRecorder]:
        return LedgerSubscription(recorder=self, gt=gt, topics=topics)


class LedgerSubscription(persistence.ListenNotifySubscription[LedgerApplicationRecorder]):
    """Looks now and then whatever it hears, and listens again when its connection breaks.

    The library's own starts to listen after its first look and never looks unasked, so that it can
    stall for good.
    """

    def __init__(
        self,
        recorder: LedgerApplicationRecorder,
        gt: int | None = None,
        topics: Sequence[str] = (),
    ) -> None:
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        self._listen_thread = Thread(target=self._listen, name="recorder subscription")
        self._listen_thread.start()

    def __exit__(self, *args: object, **kwargs: Any) -> None:
        try:
            super().__exit__(*args, **kwargs)
        finally:
            self._listen_thread.join()

    def _loop_on_pull(self) -> None:
        try:
            while not self._has_been_stopped:
                self._pull()
                self._has_been_notified.wait(_POLL_SECONDS)
        except BaseException as error:  # noqa: BLE001 - raised again to whoever iterates
            self._thread_error = self._thread_error or error
            self.stop()

    def _listen(self) -> None:
        while not self._has_been_stopped:
            try:
                self._hear()
            except persistence.PersistenceError:
                # Until there is a connection again, looking now and then has to do.
                self._has_been_notified.wait(_POLL_SECONDS)

    def _hear(self) -> None:
        with self._recorder.datastore.get_connection() as connection:
            connection.execute(_STATEMENTS["listen"].query)
            self._has_been_notified.set()  # for what came before
            while not self._has_been_stopped:
                for _ in connection.notifies(timeout=0.1, stop_after=1):
                    self._has_been_notified.set()


class LedgerTrackingRecorder(postgres.PostgresTrackingRecorder):
    """How far an application has come in the logs of others; the library's own table."""


class LedgerProcessRecorder(postgres.PostgresProcessRecorder, LedgerApplicationRecorder):
    """Events and the position they follow from, in one transaction."""


class Factory(postgres.PostgresFactory):
    """What the library asks for recorders."""

    aggregate_recorder_class = LedgerAggregateRecorder
    application_recorder_class = LedgerApplicationRecorder
    tracking_recorder_class = LedgerTrackingRecorder
    process_recorder_class = LedgerProcessRecorder

    def __init__(self, env: Environment | EnvType | None) -> None:
        environment = env if isinstance(env, Environment) else Environment(env=env)
        url = environment.get(DATABASE_URL) or os.environ.get(DATABASE_URL)
        if url and not environment.get(self.POSTGRES_DBNAME):
            environment.update(_settings(url))
        super().__init__(environment)
        self.datastore.enable_db_functions = False


def _settings(url: str) -> dict[str, str]:
    """A connection URL as the library's settings."""
    parts = conninfo_to_dict(url)
    return {
        "POSTGRES_DBNAME": str(parts.get("dbname") or "postgres"),
        "POSTGRES_HOST": str(parts.get("host") or ""),
        "POSTGRES_PORT": str(parts.get("port") or "5432"),
        "POSTGRES_USER": str(parts.get("user") or "postgres"),
        "POSTGRES_PASSWORD": str(parts.get("password") or ""),
    }


def _conninfo(datastore: postgres.PostgresDatastore) -> str:
    pool = datastore.pool
    assert isinstance(pool.kwargs, dict), "the library gives its pool a dict"
    password = pool.get_password_func() if pool.get_password_func else pool.kwargs["password"]
    return make_conninfo(
        dbname=pool.kwargs["dbname"],
        host=pool.kwargs["host"],
        port=pool.kwargs["port"],
        user=pool.kwargs["user"],
        password=password,
        options=f"-c search_path={datastore.schema}",
    )
