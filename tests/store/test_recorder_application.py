"""Applications of the library `eventsourcing` run on our tables: its own examples, and a
tutorial's.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from eventsourcing import persistence
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import InfrastructureFactory, StoredEvent, Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.tests import application as application_cases
from eventsourcing.tests import projection as projection_cases
from eventsourcing.utils import Environment, get_topic

from flamewire_ledger.store.postgres import PostgresEventStore
from flamewire_ledger.store.recorder import Factory, LedgerApplicationRecorder


class InOurDatabase:
    @pytest.fixture(autouse=True)
    def _settings(self, library_settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in library_settings.items():
            monkeypatch.setenv(name, value)


class TestExampleApplication(InOurDatabase, application_cases.ExampleApplicationTestCase):
    expected_factory_topic = get_topic(Factory)


class TestApplication(InOurDatabase, application_cases.ApplicationTestCase):
    pass


class EventCounters(PostgresTrackingRecorder, projection_cases.EventCountersInterface):
    """A view of somebody's: counters in a table of its own, moved together with the tracking."""

    def create_table(self) -> None:
        super().create_table()
        with self.datastore.transaction(commit=True) as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS counters (name text PRIMARY KEY, n int)")

    def get_created_event_counter(self) -> int:
        return self._get("created")

    def get_subsequent_event_counter(self) -> int:
        return self._get("subsequent")

    def incr_created_event_counter(self, tracking: Tracking) -> None:
        self._increment("created", tracking)

    def incr_subsequent_event_counter(self, tracking: Tracking) -> None:
        self._increment("subsequent", tracking)

    def _get(self, name: str) -> int:
        with self.datastore.transaction() as cursor:
            row = cursor.execute("SELECT n FROM counters WHERE name = %s", (name,)).fetchone()
        return row["n"] if row else 0

    def _increment(self, name: str, tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(
                "INSERT INTO counters AS c VALUES (%s, 1) ON CONFLICT (name) DO UPDATE SET n = c.n + 1",
                (name,),
            )


class TestProjection(InOurDatabase, projection_cases.AggregateEventCountersProjectionTestCase):
    view_class = EventCounters  # type: ignore[assignment]


class TestEventSourcedProjection(InOurDatabase, projection_cases.EventSourcedProjectionTestCase):
    pass


# A tutorial's application.


class Dog(Aggregate):
    @event("Registered")
    def __init__(self, name: str) -> None:
        self.name = name
        self.tricks: list[str] = []

    @event("TrickAdded")
    def add_trick(self, trick: str) -> None:
        self.tricks.append(trick)


class DogSchool(Application[UUID]):
    is_snapshotting_enabled = True

    def register(self, name: str) -> UUID:
        dog = Dog(name)
        self.save(dog)
        return dog.id

    def teach(self, dog_id: UUID, trick: str) -> int:
        dog: Dog = self.repository.get(dog_id)
        dog.add_trick(trick)
        return self.save(dog)[-1].notification.id

    def tricks(self, dog_id: UUID) -> list[str]:
        dog: Dog = self.repository.get(dog_id)
        return dog.tricks


class CountTricks(Projection[EventCounters]):
    name = "tricks"
    topics = (get_topic(Dog.TrickAdded),)  # type: ignore[attr-defined]

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        self.view.incr_subsequent_event_counter(tracking)


@pytest.fixture
def school(library_settings: dict[str, str]) -> Iterator[DogSchool]:
    with DogSchool(env=library_settings) as application:
        yield application


def test_an_application_saves_loads_and_snapshots(school: DogSchool):
    dog_id = school.register("Fido")
    school.teach(dog_id, "roll over")
    school.take_snapshot(dog_id)
    school.teach(dog_id, "play dead")
    assert school.tricks(dog_id) == ["roll over", "play dead"]
    assert [item.id for item in school.notification_log.select(start=1, limit=10)] == [1, 2, 3]


def test_applications_have_logs_of_their_own(library_settings: dict[str, str], school: DogSchool):
    class Other(DogSchool):
        pass

    with Other(env=library_settings) as other:
        school.register("Fido")
        assert other.register("Rex") is not None
        assert other.recorder.max_notification_id() == 1
        assert school.recorder.max_notification_id() == 1


def test_a_projection_catches_up_and_follows(library_settings: dict[str, str], school: DogSchool):
    dog_id = school.register("Fido")
    for number in range(20):
        school.teach(dog_id, f"trick {number}")
    with ProjectionRunner(
        application_class=DogSchool,
        projection_class=CountTricks,
        view_class=EventCounters,
        env=library_settings,
    ) as runner:
        last = runner.app.teach(dog_id, "one more")
        runner.wait(last, timeout=20)
        assert runner.projection.view.get_subsequent_event_counter() == 21


def test_two_who_save_the_same_version_do_not_both_succeed(school: DogSchool):
    dog_id = school.register("Fido")
    first: Dog = school.repository.get(dog_id)
    second: Dog = school.repository.get(dog_id)
    first.add_trick("a")
    second.add_trick("b")
    school.save(first)
    with pytest.raises(persistence.IntegrityError):
        school.save(second)
    assert school.tricks(dog_id) == ["a"]


def test_positions_have_no_gap_after_failures_and_races(library_settings: dict[str, str]):
    factory = InfrastructureFactory.construct(Environment("Race", library_settings))
    recorder = factory.application_recorder()

    def insert(number: int) -> None:
        for version in range(20):
            # Two threads each fight for the same versions.
            stored = StoredEvent(UUID(int=number // 2), version, "t", b"{}")
            try:
                recorder.insert_events([stored])
            except persistence.IntegrityError:
                continue

    threads = [Thread(target=insert, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = recorder.select_notifications(None, 1000)
    assert [item.id for item in found] == list(range(1, 81))
    factory.close()


def test_a_subscription_survives_the_loss_of_its_connection(library_settings: dict[str, str]):
    factory = InfrastructureFactory.construct(Environment("Sub", library_settings))
    recorder = factory.application_recorder()
    with recorder.subscribe() as subscription:
        recorder.insert_events([StoredEvent(uuid4(), 1, "t", b"1")])
        assert next(subscription).state == b"1"
        name = library_settings["POSTGRES_DBNAME"]
        with psycopg.connect(
            host=library_settings["POSTGRES_HOST"],
            port=library_settings["POSTGRES_PORT"],
            user=library_settings["POSTGRES_USER"],
            password=library_settings["POSTGRES_PASSWORD"],
            dbname=name,
            autocommit=True,
        ) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s AND pid <> pg_backend_pid()",
                (name,),
            )
        recorder.insert_events([StoredEvent(uuid4(), 1, "t", b"2")])
        assert next(subscription).state == b"2"
    factory.close()


def test_a_log_that_nobody_made_is_an_error(library_settings: dict[str, str]):
    DogSchool(env=library_settings).close()
    env = Environment("Nobody", {**library_settings, "CREATE_TABLE": "n"})
    factory = InfrastructureFactory.construct(env)
    recorder = factory.application_recorder()
    with pytest.raises(persistence.ProgrammingError, match="CREATE_TABLE"):
        recorder.insert_events([StoredEvent(uuid4(), 1, "t", b"1")])
    with pytest.raises(persistence.ProgrammingError):
        recorder.select_notifications(None, 10)
    factory.close()


def test_the_tables_may_live_in_a_schema_of_their_own(
    library_settings: dict[str, str], database_url: str
):
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE SCHEMA kennel")
    with DogSchool(env={**library_settings, "POSTGRES_SCHEMA": "kennel"}) as school:
        school.teach(school.register("Fido"), "sit")
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM kennel.events").fetchone() == (2,)
        assert connection.execute("SELECT to_regclass('public.events')").fetchone() == (None,)


def test_our_own_address_of_the_database_is_enough(
    database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FLAMEWIRE_DATABASE_URL", database_url)
    with DogSchool(env={"PERSISTENCE_MODULE": "flamewire_ledger.store.recorder"}) as school:
        assert school.tricks(school.register("Fido")) == []
        assert isinstance(school.recorder, LedgerApplicationRecorder)


def test_dropped_tables_are_made_again(library_settings: dict[str, str], database_url: str):
    """As the library's own tests do before each test: every table goes, functions stay."""
    for _ in range(2):
        with DogSchool(env=library_settings) as school:
            assert school.teach(school.register("Fido"), "sit") == 2
        with psycopg.connect(database_url) as connection:
            names = connection.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
            ).fetchall()
            for (name,) in names:
                connection.execute(f'DROP TABLE IF EXISTS "{name}" CASCADE')


def test_making_a_log_does_not_wait_for_readers(
    library_settings: dict[str, str], school: DogSchool, database_url: str
):
    class Other(DogSchool):
        pass

    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT count(*) FROM events")
        with Other(env={**library_settings, "POSTGRES_CONNECT_TIMEOUT": "5"}) as other:
            assert other.recorder.max_notification_id() is None


async def test_logs_and_the_ledger_share_tables_and_keep_apart(ledger_url: str):
    module = "flamewire_ledger.store.recorder"
    school = DogSchool(env={"PERSISTENCE_MODULE": module, "FLAMEWIRE_DATABASE_URL": ledger_url})
    school.register("Fido")
    school.close()
    async with PostgresEventStore(ledger_url) as store:
        assert store.partitions == 2
        assert await store.head(0) == 0
        (recorded,) = await store.read(1_000_000, 0, 10)
        assert (recorded.position, recorded.version) == (1, 1)
