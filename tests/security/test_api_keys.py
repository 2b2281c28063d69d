"""Secrets and scopes."""

from __future__ import annotations

import pytest

from flamewire_ledger.domain.rejection import Malformed
from flamewire_ledger.security.api_keys import is_secret, secret_from, sha256_of
from flamewire_ledger.security.scopes import SCOPES, allows, check_scopes, covers


def test_a_secret_says_its_mode_and_nothing_else():
    secret = secret_from(b"\xff" * 32, livemode=False)
    assert secret.startswith("fw_test_")
    assert secret_from(b"\xff" * 32, livemode=True).startswith("fw_live_")
    assert is_secret(secret)
    assert len(sha256_of(secret)) == 64


def test_a_secret_is_made_of_all_its_random_bits():
    with pytest.raises(ValueError, match="32"):
        secret_from(b"\xff" * 31, livemode=False)


@pytest.mark.parametrize("text", ["", "fw_test_", "fw_prod_" + "A" * 43, "fw_test_" + "A" * 44])
def test_what_has_not_the_shape_is_no_secret(text: str):
    assert not is_secret(text)


def test_who_may_write_may_read_and_not_the_other_way():
    assert allows({"payments:write"}, "payments:read")
    assert not allows({"payments:read"}, "payments:write")
    assert not allows({"payments:write"}, "credits:read")
    assert all(allows({"*"}, scope) for scope in SCOPES)


def test_nobody_covers_more_than_they_have():
    assert covers({"credits:write"}, {"credits:read", "credits:write"})
    assert not covers({"credits:write"}, {"*"})
    assert covers({"*"}, {"*"})


@pytest.mark.parametrize("scopes", [[], ["payments"], ["payments:read", "all"]])
def test_a_scope_there_is_not_is_refused(scopes: list[str]):
    with pytest.raises(Malformed) as refused:
        check_scopes(scopes)
    assert refused.value.pointer == "/scopes"
