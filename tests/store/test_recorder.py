"""The recorder passes the library's own test cases, unchanged; only the factories are given here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from eventsourcing import persistence
from eventsourcing.postgres import PostgresDatastore
from eventsourcing.tests import persistence as cases
from eventsourcing.utils import Environment

from flamewire_ledger.store import recorder as module


class OnOurTables:
    """Gives each case a database of its own, and a factory as the library makes one."""

    name: ClassVar = "TestCase"
    factory: module.Factory
    env: Environment

    @pytest.fixture(autouse=True)
    def _database(self, library_settings: dict[str, str]) -> Iterator[None]:
        self.env = Environment(self.name, library_settings)
        made: Any = persistence.InfrastructureFactory.construct(self.env)
        self.factory = made
        yield
        made.close()

    @property
    def datastore(self) -> PostgresDatastore:
        return self.factory.datastore


class TestAggregateRecorder(OnOurTables, cases.AggregateRecorderTestCase):
    def create_recorder(self) -> persistence.AggregateRecorder:
        return self.factory.aggregate_recorder()


class TestApplicationRecorder(OnOurTables, cases.ApplicationRecorderTestCase):
    def create_recorder(self) -> persistence.ApplicationRecorder:
        return self.factory.application_recorder()

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestApplicationRecorderWithTextIds(TestApplicationRecorder):
    @pytest.fixture(autouse=True)
    def _text(self, library_settings: dict[str, str]) -> None:
        library_settings["ORIGINATOR_ID_TYPE"] = "text"

    def new_originator_id(self) -> str:
        return f"thing-{super().new_originator_id()}"


class TestTrackingRecorder(OnOurTables, cases.TrackingRecorderTestCase):
    def create_recorder(self) -> persistence.TrackingRecorder:
        return self.factory.tracking_recorder()


class TestProcessRecorder(OnOurTables, cases.ProcessRecorderTestCase):
    def create_recorder(self) -> persistence.ProcessRecorder:
        return self.factory.process_recorder()


class TestNonInterleaving(OnOurTables, cases.NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self) -> persistence.ApplicationRecorder:
        return self.factory.application_recorder()


class CustomTrackingRecorder(module.LedgerTrackingRecorder):
    pass


class TestInfrastructureFactory(OnOurTables, cases.InfrastructureFactoryTestCase[module.Factory]):
    @pytest.fixture(autouse=True)
    def _before_set_up(self, library_settings: dict[str, str]) -> None:
        self.env = Environment(self.name, library_settings)

    def expected_factory_class(self) -> type[module.Factory]:
        return module.Factory

    def expected_aggregate_recorder_class(self) -> type[persistence.AggregateRecorder]:
        return module.LedgerAggregateRecorder

    def expected_application_recorder_class(self) -> type[persistence.ApplicationRecorder]:
        return module.LedgerApplicationRecorder

    def expected_tracking_recorder_class(self) -> type[persistence.TrackingRecorder]:
        return module.LedgerTrackingRecorder

    def tracking_recorder_subclass(self) -> type[persistence.TrackingRecorder]:
        return CustomTrackingRecorder

    def expected_process_recorder_class(self) -> type[persistence.ProcessRecorder]:
        return module.LedgerProcessRecorder
