"""EIP-712 is hashed as eth-account hashes it, and what is not plainly typed data is refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from flamewire_ledger.chains.accounts import find_realm
from flamewire_ledger.signatures.curves.keccak import keccak256
from flamewire_ledger.signatures.evm import typed_data
from flamewire_ledger.signatures.evm.typed_data import digest_of_typed_data
from flamewire_ledger.signatures.scheme import Invalid, Reason
from tests.signatures.claims import unhex, vectors

ACCOUNT = find_realm((), "ethereum").account
MAIL = next(it for it in vectors("ethereum")["vectors"] if it["id"] == "eth-046")["typed"]


def digest(document: dict[str, Any], chain: int | None = None) -> bytes:
    return digest_of_typed_data(document, chain, ACCOUNT)


def their_digest(document: dict[str, Any]) -> bytes:
    signable = encode_typed_data(full_message=copy.deepcopy(document))
    return keccak256(b"\x19" + signable.version + signable.header + signable.body)


def test_the_digests_of_the_vectors_are_theirs():
    for file in ("ethereum", "generated"):
        for vector in vectors(file)["vectors"]:
            if vector.get("digest") and vector["valid"]:
                assert digest(vector["typed"]) == unhex(vector["digest"])


def hexed(length: int) -> st.SearchStrategy[str]:
    return st.binary(min_size=length, max_size=length).map(lambda it: "0x" + it.hex())


ATOMS: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    "bytes": st.binary(max_size=40).map(lambda it: "0x" + it.hex()),
    "bool": st.booleans(),
    "address": hexed(20),
    **{f"bytes{n}": hexed(n) for n in (1, 7, 31, 32)},
    **{f"uint{n}": st.integers(0, 2**n - 1) for n in (8, 64, 256)},
    **{f"int{n}": st.integers(-(2 ** (n - 1)), 2 ** (n - 1) - 1) for n in (8, 128, 256)},
}


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Typed data of a few types that use one another, each with values that fit."""
    names = draw(st.lists(st.sampled_from("ABCDE"), min_size=1, max_size=4, unique=True))
    types: dict[str, list[dict[str, str]]] = {}
    for at, name in enumerate(names):
        kinds = st.sampled_from([*ATOMS, *names[:at]])
        fields = draw(
            st.lists(st.tuples(kinds, st.sampled_from(["", "[]", "[2]", "[][1]"])), max_size=4)
        )
        # Each uses the one before it, so that the last is the only one which nobody uses: the
        # library finds the primary type by that.
        used = [(name, "") for name in names[max(at - 1, 0) : at]]
        types[name] = [
            {"name": f"f{number}", "type": kind + arrays}
            for number, (kind, arrays) in enumerate([*used, *fields])
        ]
    domain = draw(
        st.fixed_dictionaries(
            {"name": ATOMS["string"]},
            optional={
                "version": ATOMS["string"],
                "chainId": st.integers(0, 2**64),
                "verifyingContract": ATOMS["address"],
                "salt": ATOMS["bytes32"],
            },
        )
    )
    return {
        "types": types,
        "primaryType": names[-1],
        "domain": domain,
        "message": draw(values(names[-1], types)),
    }


def values(kind: str, types: dict[str, list[dict[str, str]]]) -> st.SearchStrategy[Any]:
    if kind.endswith("]"):
        inner, _, count = kind[:-1].rpartition("[")
        least, most = (int(count), int(count)) if count else (0, 3)
        return st.lists(values(inner, types), min_size=least, max_size=most)
    if kind in types:
        return st.fixed_dictionaries(
            {field["name"]: values(field["type"], types) for field in types[kind]}
        )
    return ATOMS[kind]


@settings(max_examples=150, deadline=None)
@given(documents())
def test_it_is_hashed_as_another_library_does(document: dict[str, Any]):
    with_domain = copy.deepcopy(document)
    fields = typed_data._DOMAIN_FIELDS
    with_domain["types"]["EIP712Domain"] = [
        {"name": name, "type": kind} for name, kind in fields.items() if name in document["domain"]
    ]
    assert digest(document) == digest(with_domain) == their_digest(with_domain)


def changed(*path: str, to: Any) -> dict[str, Any]:
    document = copy.deepcopy(MAIL)
    place = document
    for name in path[:-1]:
        place = place[name]
    if to is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return document


PERSON = [{"name": "name", "type": "string"}, {"name": "wallet", "type": "address"}]
COW = "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"


@pytest.mark.parametrize(
    "document",
    [
        {},
        changed("types", to=...),
        changed("types", to=[]),
        changed("more", to=1),
        changed("primaryType", to="Nobody"),
        changed("primaryType", to="EIP712Domain"),
        changed("primaryType", to=["Mail"]),
        changed("domain", to=None),
        changed("domain", "chainID", to=1),
        changed("domain", "chainId", to=-1),
        changed("domain", "chainId", to="1 "),
        changed("domain", "chainId", to=1.0),
        changed("domain", "chainId", to=True),
        changed("domain", "chainId", to="٣"),
        changed("domain", "chainId", to="9" * 5000),
        changed("domain", "verifyingContract", to="0xcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"),
        changed("types", "EIP712Domain", to=[]),
        changed("types", "Person", to=[*PERSON, PERSON[0]]),
        changed("types", "Person", to=[{"name": "name"}]),
        changed("types", "Person", to=[{"name": "name", "type": "string", "more": 1}]),
        changed("types", "Person", to=[{"name": "na me", "type": "string"}]),
        changed("types", "Person", to=[PERSON[0], {"name": "wallet", "type": "uint"}]),
        changed("types", "Person", to=[PERSON[0], {"name": "wallet", "type": "uint7"}]),
        changed("types", "Person", to=[PERSON[0], {"name": "wallet", "type": "uint264"}]),
        changed("types", "Person", to=[PERSON[0], {"name": "wallet", "type": "bytes33"}]),
        changed("types", "Person", to=[PERSON[0], {"name": "wallet", "type": "address[0]"}]),
        changed("types", "Person", to=[PERSON[0], {"name": "wallet", "type": "Somebody"}]),
        changed("types", "uint8", to=PERSON),
        changed("types", "string", to=PERSON),
        changed("message", "contents", to=...),
        changed("message", "contents", to=None),
        changed("message", "contents", to=5),
        changed("message", "more", to=5),
        changed("message", "to", to=[]),
        changed("message", "to", "wallet", to=COW[2:]),
        changed("message", "to", "wallet", to=COW.swapcase().replace("0X", "0x")),
        changed("message", "to", "wallet", to=int(COW, 16)),
    ],
    ids=str,
)
def test_what_is_not_plainly_typed_data_is_refused(document: dict[str, Any]):
    with pytest.raises(Invalid) as refused:
        digest(document)
    assert refused.value.reason == Reason.TYPED_DATA_MALFORMED


def one(kind: str, value: Any, **types: Any) -> dict[str, Any]:
    types = {"One": [{"name": "value", "type": kind}], **types}
    return {"types": types, "primaryType": "One", "domain": {}, "message": {"value": value}}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("uint8", 256), ("uint8", -1), ("int8", 128), ("int8", -129), ("uint8", "1.0"),
        ("uint8", "0x"), ("uint8", "0x100"), ("uint8", True), ("uint8", 1.0), ("uint8", None),
        ("bool", 1), ("bool", "true"), ("bytes1", "0x"), ("bytes1", "0x0102"), ("bytes1", "01"),
        ("bytes", "0x1"), ("bytes", "0x 1"), ("bytes", [1]), ("string", b"x"), ("string", "\ud800"),
        ("uint8[2]", [1]), ("uint8[]", "0x01"), ("uint8[]", {"0": 1}), ("uint8[][]", [1]),
    ],
)  # fmt: skip
def test_a_value_is_of_its_type(kind: str, value: Any):
    with pytest.raises(Invalid) as refused:
        digest(one(kind, value))
    assert refused.value.reason == Reason.TYPED_DATA_MALFORMED


def test_numbers_have_several_spellings_and_one_hash():
    hashes = {digest(one("uint256", value)) for value in (10, "10", "0xa", "0x0A")}
    assert len(hashes) == 1


def test_a_type_may_refer_to_itself_as_far_as_its_values_go():
    node = [{"name": "children", "type": "Node[]"}]
    leaf: dict[str, Any] = {"children": []}
    assert digest(one("Node", {"children": [leaf, leaf]}, Node=node))
    deep = leaf
    for _ in range(typed_data.DEPTH_MAX):
        deep = {"children": [deep]}
    with pytest.raises(Invalid) as refused:
        digest(one("Node", deep, Node=node))
    assert refused.value.reason == Reason.TYPED_DATA_TOO_LARGE


@pytest.mark.parametrize(
    "document",
    [
        one("uint8[]", [1] * (typed_data.VALUES_MAX + 1)),
        one("string", "x" * 200_000),
        one("uint8" + "[]" * 17, []),
        one("uint8", 1, **{f"T{n}": [] for n in range(typed_data.TYPES_MAX)}),
        one("uint8", 1, Wide=[{"name": f"f{n}", "type": "bool"} for n in range(300)]),
    ],
    ids=["values", "bytes", "arrays", "types", "fields"],
)
def test_what_would_take_long_is_refused(document: dict[str, Any]):
    with pytest.raises(Invalid) as refused:
        digest(document)
    assert refused.value.reason == Reason.TYPED_DATA_TOO_LARGE


def test_a_domain_of_another_chain_is_refused_where_the_chain_is_named():
    assert digest(MAIL, 1) == digest(MAIL)
    with pytest.raises(Invalid) as refused:
        digest(MAIL, 2)
    assert refused.value.reason == Reason.OTHER_CHAIN
    without = changed("domain", "chainId", to=...)
    assert digest(without, 2) == digest(without)
