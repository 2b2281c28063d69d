"""Ids: in the order of time, the same for the same cause, and read back for what they are."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import RFC_4122, UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flamewire_ledger.domain.identifiers import (
    COMMANDS,
    command_id,
    derived_id,
    encode,
    is_id,
    uuid7,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@given(st.uuids(), st.uuids())
def test_ids_are_of_one_length_and_sort_as_their_numbers_do(one, other):
    assert is_id("pi", encode("pi", one))
    assert (encode("pi", one) < encode("pi", other)) == (one.int < other.int)
    assert (encode("pi", one) == encode("pi", other)) == (one == other)


def test_what_is_no_id_of_the_kind_is_told_apart():
    good = encode("pi", UUID(int=7))
    for text in (
        "", "pi_", good[:-1], good + "0", good.upper(), good.replace("pi", "pl"), "pi_8" + "0" * 25,
        "pi_" + "u" * 26, good + "\n",
    ):  # fmt: skip
        assert not is_id("pi", text)


@given(st.binary(min_size=10, max_size=32))
def test_a_uuid7_says_its_version_and_its_time(entropy):
    made = uuid7(NOON, entropy)
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert made.int >> 80 == int(NOON.timestamp()) * 1000


@given(st.integers(0, 2**43))
def test_a_uuid7_is_exact_to_the_millisecond(milliseconds):
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    assert uuid7(at, bytes(10)).int >> 80 == milliseconds


def test_an_id_is_not_made_of_too_little():
    with pytest.raises(ValueError, match="10 bytes"):
        uuid7(NOON, bytes(9))


def test_the_vector_of_the_specification():
    # RFC 9562, appendix A.6: 2022-02-22T19:22:22Z, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F.
    at = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)
    noise = 0xCC3 << 62 | 0x18C4DC0C0C07398F
    made = uuid7(at, noise.to_bytes(10, "big"))
    assert made == UUID("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")


@given(st.integers(0, 2**43), st.lists(st.text(), min_size=1))
def test_a_derived_id_is_a_uuid7_of_the_hash_of_its_names(milliseconds, names):
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    names = [name.encode(errors="replace").decode() for name in names]
    digest = sha256("\x1f".join(names).encode()).digest()
    assert derived_id("pl", at, *names) == encode("pl", uuid7(at, digest))


def test_a_derived_id_is_the_same_each_time_and_another_for_another_cause():
    assert derived_id("gr", NOON, "a", "b") == derived_id("gr", NOON, "a", "b")
    others = {
        derived_id("gr", NOON, "ab"),
        derived_id("gr", NOON, "a", "c"),
        derived_id("gr", NOON + timedelta(seconds=1), "a", "b"),
    }
    assert derived_id("gr", NOON, "a", "b") not in others
    assert len(others) == 3


def test_a_command_id_comes_from_its_causes_one_by_one():
    assert command_id("a", "b") == command_id("a", "b")
    assert command_id("a", "b") != command_id("ab")


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"])), min_size=1))
def test_a_command_id_is_the_uuid5_of_its_causes(names):
    made = command_id(*names)
    assert made == uuid5(COMMANDS, "\x1f".join(names))
    assert (made.version, made.variant) == (5, RFC_4122)
    assert {made: 1}[pickle.loads(pickle.dumps(made))] == 1


@given(st.uuids())
def test_an_id_spells_the_number_in_base_32(value):
    _, _, letters = encode("ev", value).partition("_")
    assert (
        int(letters.translate(str.maketrans("jkmnpqrstvwxyz", "ijklmnopqrstuv")), 32) == value.int
    )
