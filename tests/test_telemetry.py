"""Log lines in one form, without secrets; metrics by the names that are written down."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from flamewire_ledger import telemetry
from flamewire_ledger.telemetry import (
    HIDDEN,
    METRICS,
    Meters,
    Sample,
    Totals,
    configure_logging,
    redact,
)

XPRV = "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi"


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Authorization: Bearer fw_live_abc123", f"Authorization: Bearer {HIDDEN}"),
        ("key fw_test_0aZ9 given", f"key fw_test_{HIDDEN} given"),
        ("amqp://guest:hunter2@host:5672/", f"amqp://guest:{HIDDEN}@host:5672/"),
        ("postgresql://:p%40ss@/db", f"postgresql://:{HIDDEN}@/db"),
        ("host=db password=hunter2 user=me", f"host=db password={HIDDEN} user=me"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", f"whsec_{HIDDEN}"),
        (f"the key {XPRV}!", f"the key xprv{HIDDEN}!"),
        ("postgresql://127.0.0.1:5432/ledger", "postgresql://127.0.0.1:5432/ledger"),
        ("pi_01kayv3m8se0p9q7r2t4w6x8za", "pi_01kayv3m8se0p9q7r2t4w6x8za"),
    ],
)
def test_what_looks_like_a_secret_is_cut_out(text: str, left: str):
    assert redact(text) == left


def test_what_is_called_a_secret_is_cut_out_however_deep_it_lies():
    given = {"a": [{"password": "x", "n": 1}], "Authorization": "y", "secret_sha256": "ab"}

    assert redact(given) == {
        "a": [{"password": HIDDEN, "n": 1}],
        "Authorization": HIDDEN,
        "secret_sha256": "ab",
    }


def lines(form: str, level: str = "info") -> tuple[io.StringIO, structlog.stdlib.BoundLogger]:
    stream = io.StringIO()
    configure_logging(level, form, stream)  # type: ignore[arg-type]
    return stream, structlog.get_logger("flamewire_ledger.test")


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_secret_gets_out_by_a_key_a_message_or_a_traceback(form: str):
    stream, log = lines(form)
    try:
        raise ValueError("no login at amqp://guest:hunter2@host/")
    except ValueError:
        log.exception("failed with fw_live_abc123", password="hunter2", url="redis://:hunter2@h")
        logging.getLogger("some.library").exception("at %s", "postgresql://u:hunter2@h")

    assert stream.getvalue().count("Traceback") == 2
    assert "hunter2" not in stream.getvalue()
    assert "abc123" not in stream.getvalue()


def test_json_lines_are_json_with_time_level_and_logger():
    stream, log = lines("json")

    log.warning("something happened", position=7)

    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["position"]) == ("something happened", "warning", 7)
    assert line["logger"] == "flamewire_ledger.test"
    assert line["timestamp"].endswith("Z")


def test_what_is_below_the_level_is_not_written():
    stream, log = lines("json", level="error")

    log.warning("not so bad")

    assert stream.getvalue() == ""


async def test_metrics_are_rendered_by_name_with_their_labels():
    meters = Meters()
    meters.add("relay_events", 3, partition="0")
    meters.set("projection_position", 17, name="payment_status", partition="0")
    meters.seconds("http_seconds", 0.004, route="r")

    text = (await meters.render()).decode()

    assert 'flamewire_relay_events_total{partition="0"} 3.0' in text
    assert 'flamewire_projection_position{name="payment_status",partition="0"} 17.0' in text
    assert 'flamewire_http_seconds_count{route="r"} 1.0' in text


def test_a_metric_that_is_not_written_down_is_an_error():
    with pytest.raises(KeyError):
        Meters().add("no_such_thing")


def test_every_metric_says_what_it_is():
    assert all(metric.says.endswith(".") for metric in METRICS.values())


def counted(outcome: str, position: float) -> list[Sample]:
    meters = Meters()
    meters.add("commands", 3, outcome=outcome)
    meters.set("projection_position", position, name="payment_status", partition="0")
    meters.set("writer_queued", 5)
    meters.seconds("http_seconds", 0.004, route="r")
    return meters.samples()


async def test_the_metrics_of_one_process_look_the_same_through_totals():
    meters = Meters()
    meters.add("commands", 3, outcome="done")
    meters.seconds("http_seconds", 0.004, route="r")
    totals = Totals()
    totals.add(meters.samples())

    assert totals.render() == await meters.render()


def test_counts_of_several_processes_are_added_and_a_gauge_says_how():
    totals = Totals()
    totals.add(counted("done", 17))
    totals.add(json.loads(json.dumps(counted("done", 4))))

    text = totals.render().decode()

    assert 'flamewire_commands_total{outcome="done"} 6.0' in text
    assert 'flamewire_http_seconds_count{route="r"} 2.0' in text
    assert 'flamewire_http_seconds_bucket{le="0.005",route="r"} 2.0' in text
    assert 'flamewire_projection_position{name="payment_status",partition="0"} 17.0' in text
    assert "flamewire_writer_queued 10.0" in text


def test_what_a_process_counted_stays_counted_when_it_is_gone_and_its_gauges_do_not():
    ended = Totals()
    ended.add_ended(counted("done", 17))
    totals = Totals()
    totals.add(counted("done", 4))
    totals.add(ended.samples())

    text = totals.render().decode()

    assert 'flamewire_commands_total{outcome="done"} 6.0' in text
    assert 'flamewire_projection_position{name="payment_status",partition="0"} 4.0' in text
    assert "flamewire_writer_queued 5.0" in text


def test_every_metric_is_told_by_some_part():
    """One that never moves would be read as "nothing happens"."""
    package = Path(telemetry.__file__).parent
    texts = [path.read_text() for path in package.rglob("*.py") if path != Path(telemetry.__file__)]
    assert [name for name in METRICS if not any(f'"{name}"' in text for text in texts)] == []
