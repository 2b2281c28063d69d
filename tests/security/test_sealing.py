"""What is sealed can be read with the key it was sealed under, as what it is, and not otherwise."""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path

import pytest

from flamewire_ledger.security.sealing import CannotOpen, Sealer, read_keys
from flamewire_ledger.settings import SettingsError, read_settings
from flamewire_ledger.wiring.sealing import KEY_FILE, LazySealer, NoKey, keys_of

ONE, TWO = b"1" * 32, b"2" * 32
SECRET = b"whsec_C2FVsBQIhrscChlQIMV"


def sealer(*keys: bytes, purpose: str = "webhook secrets") -> Sealer:
    return Sealer(keys, purpose, os.urandom)


def test_what_is_sealed_is_opened_and_says_nothing_by_itself():
    sealed = sealer(ONE).seal("ws_1", SECRET)
    assert SECRET not in sealed
    assert sealer(ONE).open("ws_1", sealed) == SECRET
    assert sealer(ONE).seal("ws_1", SECRET) != sealed


def test_it_is_bound_to_what_it_is_of_and_to_its_purpose():
    sealed = sealer(ONE).seal("ws_1", SECRET)
    with pytest.raises(CannotOpen):
        sealer(ONE).open("ws_2", sealed)
    with pytest.raises(CannotOpen):
        sealer(ONE, purpose="something else").open("ws_1", sealed)


def test_a_bit_that_is_changed_is_noticed():
    sealed = sealer(ONE).seal("ws_1", SECRET)
    for place in range(len(sealed)):
        changed = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(CannotOpen) as told:
            sealer(ONE).open("ws_1", changed)
        assert "whsec" not in str(told.value)
    for cut in (b"", sealed[:5], sealed[:-1]):
        with pytest.raises(CannotOpen):
            sealer(ONE).open("ws_1", cut)


def test_a_key_is_replaced_by_putting_another_before_it():
    sealed = sealer(ONE).seal("ws_1", SECRET)
    both = sealer(TWO, ONE)
    assert both.open("ws_1", sealed) == SECRET
    assert sealer(TWO).open("ws_1", both.seal("ws_1", SECRET)) == SECRET
    with pytest.raises(CannotOpen, match="FLAMEWIRE_SECRETS_KEY"):
        sealer(TWO).open("ws_1", sealed)


def test_keys_as_they_are_set():
    text = f"{b64encode(TWO).decode()}, {b64encode(ONE).decode()}"
    assert read_keys(text) == (TWO, ONE)


@pytest.mark.parametrize("text", ["", "short", b64encode(b"x" * 31).decode(), "*" * 44])
def test_a_key_that_is_none_is_refused_without_being_repeated(
    text: str, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(ValueError, match="base64 of 32 random bytes"):
        read_keys(text)
    if text:
        monkeypatch.setenv("FLAMEWIRE_SECRETS_KEY", text)
        with pytest.raises(SettingsError, match="FLAMEWIRE_SECRETS_KEY is wrong") as told:
            read_settings()
        assert text not in str(told.value)


def test_without_a_setting_a_key_is_made_once_for_its_owner_only(tmp_path: Path):
    settings = read_settings(data_dir=tmp_path / "data")
    made = LazySealer(settings, "webhook secrets")
    assert not (tmp_path / "data").exists()
    sealed = made.seal("ws_1", SECRET)
    file = tmp_path / "data" / KEY_FILE
    assert file.stat().st_mode & 0o777 == 0o600
    assert [it.name for it in file.parent.iterdir()] == [KEY_FILE]
    assert LazySealer(settings, "webhook secrets").open("ws_1", sealed) == SECRET
    assert keys_of(settings) == keys_of(settings)


def test_where_no_key_can_be_kept_it_says_what_to_do(tmp_path: Path):
    (tmp_path / "data").write_text("a file is in the way")
    settings = read_settings(data_dir=tmp_path / "data")
    with pytest.raises(NoKey, match="set FLAMEWIRE_SECRETS_KEY"):
        LazySealer(settings, "webhook secrets").seal("ws_1", SECRET)
