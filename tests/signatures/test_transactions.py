"""RLP and transactions: one encoding for each value, and nothing that a node would not take."""

from __future__ import annotations

from typing import Any

import pytest
import rlp as reference
from hypothesis import given
from hypothesis import strategies as st
from rlp.exceptions import RLPException

from flamewire_ledger.signatures.evm import rlp
from flamewire_ledger.signatures.evm.transaction import read_transaction
from flamewire_ledger.signatures.scheme import Invalid, Reason
from tests.signatures.claims import unhex, vectors

RAW = {it["id"]: unhex(it["raw"]) for it in vectors("ethereum")["vectors"] if it["kind"] == "tx"}
FEE_MARKET, LEGACY, ACCESS_LIST = RAW["eth-058"], RAW["eth-064"], RAW["eth-067"]

items = st.recursive(
    st.binary(max_size=70), lambda inner: st.lists(inner, max_size=4), max_leaves=12
)


def depth(item: Any) -> int:
    return 1 + max(map(depth, item), default=0) if isinstance(item, list) else 0


@given(items)
def test_rlp_is_written_and_read_as_another_library_does(item: Any):
    written = reference.encode(item)
    assert rlp.encode(item) == written
    if depth(item) <= rlp.DEPTH_MAX:
        assert rlp.decode(written) == item


@given(st.binary(max_size=80))
def test_rlp_is_no_laxer_than_another_library(data: bytes):
    try:
        found = rlp.decode(data)
    except ValueError:
        return
    try:
        assert reference.decode(data, strict=True) == found
    except RLPException as error:
        raise AssertionError(f"{data.hex()} was read") from error


def fields(raw: bytes) -> list[Any]:
    return list(reference.decode(raw[1:] if raw[0] < 0x80 else raw))


def typed(kind: int, of: list[Any]) -> bytes:
    return bytes([kind]) + reference.encode(of)


def with_field(raw: bytes, at: int, value: Any) -> bytes:
    changed = fields(raw)
    changed[at] = value
    return typed(raw[0], changed) if raw[0] < 0x80 else reference.encode(changed)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00",
        b"\x05" + FEE_MARKET[1:],
        b"\x02",
        FEE_MARKET[:-1],
        FEE_MARKET + b"\x00",
        FEE_MARKET[1:],
        b"\x01" + FEE_MARKET[1:],
        typed(2, fields(FEE_MARKET)[:-1]),
        typed(2, [*fields(FEE_MARKET), b""]),
        with_field(FEE_MARKET, 0, b"\x00\x01"),
        with_field(FEE_MARKET, 1, b"\x01" * 9),
        with_field(FEE_MARKET, 5, b"\x01" * 19),
        with_field(FEE_MARKET, 5, [b""]),
        with_field(FEE_MARKET, 6, b"\x01" * 33),
        with_field(FEE_MARKET, 7, []),
        with_field(FEE_MARKET, 8, b""),
        with_field(FEE_MARKET, 8, [[b"\x01" * 20]]),
        with_field(FEE_MARKET, 8, [[b"\x01" * 20, [b"\x01" * 31]]]),
        with_field(FEE_MARKET, 8, [[b"\x01" * 20, [[b"\x01"]]]]),
        with_field(ACCESS_LIST, 7, [b"\x01" * 20]),
        with_field(LEGACY, 3, b"\x01"),
        reference.encode(fields(LEGACY)[:7]),
        reference.encode(b"legacy"),
        reference.encode([b"\x01"] * 9000),
        b"\xf9\xff\xff" + b"\x01" * 0xFFFF,
    ],
    ids=lambda raw: raw[:12].hex(),
)
def test_what_no_node_takes_is_malformed(raw: bytes):
    with pytest.raises(Invalid) as refused:
        read_transaction(raw)
    assert refused.value.reason == Reason.TRANSACTION_MALFORMED


def test_a_parity_is_zero_or_one_and_v_is_of_its_chain():
    for raw in (with_field(FEE_MARKET, 9, b"\x02"), with_field(LEGACY, 6, b"\x1d")):
        with pytest.raises(Invalid) as refused:
            read_transaction(raw)
        assert refused.value.reason == Reason.RECOVERY_ID_INVALID
    assert read_transaction(LEGACY).evm_chain_id == 1
    assert read_transaction(with_field(LEGACY, 6, b"\x1b")).evm_chain_id is None
    assert read_transaction(ACCESS_LIST).evm_chain_id == 137


@given(st.sampled_from([FEE_MARKET, LEGACY, ACCESS_LIST]), st.data())
def test_a_changed_transaction_is_another_or_none(raw: bytes, data: st.DataObject):
    at = data.draw(st.integers(0, len(raw) - 1))
    mutated = raw[:at] + bytes([raw[at] ^ data.draw(st.integers(1, 255))]) + raw[at + 1 :]
    try:
        found = read_transaction(mutated)
    except Invalid:
        return
    assert found != read_transaction(raw)
