"""The late policy out of the settings."""

from __future__ import annotations

import pytest

from flamewire_ledger.domain.payment import LatePolicy
from flamewire_ledger.settings import SettingsError, read_settings
from flamewire_ledger.wiring.api_parts import late_policy


def test_late_transfers_are_held_unless_said_otherwise() -> None:
    assert late_policy(read_settings()) == LatePolicy("hold", 900, None)


def test_a_late_transfer_is_honoured_within_minutes_and_percent() -> None:
    given = {"late_policy": "honour", "late_honour_seconds": 300, "late_drift_percent": "2.5"}
    assert late_policy(read_settings(**given)) == LatePolicy("honour", 300, 25_000)


@pytest.mark.parametrize("percent", ["-1", "101", "0.00001", "much"])
def test_a_drift_is_a_percentage(percent: str) -> None:
    with pytest.raises(SettingsError, match="LATE_DRIFT_PERCENT"):
        read_settings(late_drift_percent=percent)
