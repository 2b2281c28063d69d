"""Who asks in a challenge: the operator's domain, and where the API listens when none is said."""

from __future__ import annotations

import pytest

from flamewire_ledger.settings import SettingsError, read_settings


def test_a_challenge_names_the_domain_that_is_set_and_else_the_api():
    assert read_settings(host="127.0.0.1", port=8701).domain_of_challenges == "127.0.0.1:8701"
    assert read_settings(challenge_domain="pay.example").domain_of_challenges == "pay.example"
    assert read_settings(challenge_domain="[::1]:8700").domain_of_challenges == "[::1]:8700"


@pytest.mark.parametrize(
    "domain", ["pay.example\n", "pay.example\nNonce: 1", "pay example", "https://pay.example", "é"]
)
def test_a_domain_is_one_word_on_its_line(domain: str):
    with pytest.raises(SettingsError, match="FLAMEWIRE_CHALLENGE_DOMAIN"):
        read_settings(challenge_domain=domain)


@pytest.mark.parametrize("seconds", [0, 29, 86_401])
def test_a_challenge_lasts_for_a_while(seconds: int):
    with pytest.raises(SettingsError, match="FLAMEWIRE_CHALLENGE_SECONDS"):
        read_settings(challenge_seconds=seconds)
