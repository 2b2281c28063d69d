"""What webhooks may reach, by the settings."""

from __future__ import annotations

from typing import Any

import pytest

from flamewire_ledger.settings import SettingsError, read_settings
from flamewire_ledger.webhooks.addresses import NotAllowed, check_url
from flamewire_ledger.wiring.webhooks import reach_of

HERE = "http://127.0.0.1:3000/hook"
INSIDE = "http://10.1.2.3/hook"
OUTSIDE = "https://shop.example/hook"


def may(url: str, *, livemode: bool, **settings: Any) -> bool:
    try:
        check_url(url, reach_of(read_settings(**settings))(livemode))
    except NotAllowed:
        return False
    return True


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        ({}, True),
        ({"host": "localhost"}, True),
        ({"host": "::1"}, True),
        ({"host": "0.0.0.0"}, False),
        ({"host": "ledger.internal"}, False),
        ({"sandbox": False}, False),
        ({"host": "0.0.0.0", "webhook_loopback": True}, True),
        ({"webhook_loopback": False}, False),
    ],
)
def test_sandbox_endpoints_are_on_this_machine_while_the_ledger_is(
    settings: dict[str, Any], allowed: bool
):
    assert may(HERE, livemode=False, **settings) is allowed
    assert may(HERE, livemode=True, **settings) is False
    assert may(OUTSIDE, livemode=True, **settings)


def test_networks_of_the_operator_are_reached_when_they_are_named():
    for livemode in (True, False):
        assert not may(INSIDE, livemode=livemode)
        assert may(INSIDE, livemode=livemode, webhook_networks="10.0.0.0/8")


def test_a_network_that_is_none_stops_the_start_with_a_sentence():
    with pytest.raises(SettingsError, match="FLAMEWIRE_WEBHOOK_NETWORKS is wrong"):
        read_settings(webhook_networks="10.0.0.0/40")
