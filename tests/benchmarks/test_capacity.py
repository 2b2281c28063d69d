"""The model of what a rate needs: it grows with the rate, names the bottleneck, and is in the docs."""

from dataclasses import replace

from scripts.benchmarks.capacity import BUSY, MEASURED, Limits, plan, table
from tests.services.place import ROOT


def test_the_docs_have_the_table_of_the_model():
    page = (ROOT / "docs" / "operate" / "scale.md").read_text()
    shown = page.partition("<!-- capacity -->\n")[2].partition("\n<!-- /capacity -->")[0]
    assert shown == table(), "scripts/benchmarks/capacity.py has changed: put its table in"


def test_ten_times_the_rate_needs_ten_times_as_much():
    small, large = plan(100_000), plan(1_000_000)
    assert large.terabytes_a_month == 10 * small.terabytes_a_month
    assert 9 * small.api <= large.api <= 10 * small.api
    assert small.databases < large.databases <= 10 * small.databases


def test_what_is_full_first_depends_on_what_it_costs():
    assert plan(1_000_000).bottleneck == "writer of one partition"
    limits = Limits(writer_commands=1e9)
    assert plan(1_000_000, limits=limits).bottleneck == "RabbitMQ cluster"
    quiet = replace(MEASURED, message_bytes=1)
    assert plan(1_000_000, quiet, limits).bottleneck == "write-ahead log of Postgres"


def test_no_database_is_planned_fuller_than_it_may_be():
    for rate in (1_000, 50_000, 300_000, 2_000_000):
        found = plan(rate)
        assert found.wal_megabytes * 1e6 / found.databases <= Limits().postgres_wal_bytes
        assert found.database_cores <= Limits().postgres_cores * BUSY
