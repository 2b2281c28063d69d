"""The table of paths says what Starlette's router says, only sooner."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.routing import Match, Route

from flamewire_ledger.api.contract import OPERATIONS
from flamewire_ledger.api.routing import Directory

PATHS = list(dict.fromkeys(operation.path for operation in OPERATIONS))


async def nobody(*_: Any) -> None:
    """Where a path leads that the table does not know."""


def endpoint(path: str) -> Any:
    async def answer(*_: Any) -> None:
        """Told apart by being another function each."""

    answer.__name__ = path
    return answer


ENDPOINTS = {path: endpoint(path) for path in PATHS}
DIRECTORY = Directory(ENDPOINTS, nobody)


def starlette_says(path: str) -> tuple[str, dict[str, str]] | None:
    for template in PATHS:
        match, found = Route(template, nobody).matches(
            {"type": "http", "path": path, "method": "GET"}
        )
        if match is not Match.NONE:
            return template, found["path_params"]
    return None


def table_says(path: str) -> tuple[str, dict[str, str]] | None:
    found = DIRECTORY.find(path)
    return None if found is None else (found[0].__name__, found[1])  # type: ignore[attr-defined]


SEGMENTS = st.one_of(
    st.sampled_from(
        [
            *sorted({segment for path in PATHS for segment in path.split("/")}),
            "ca_01kg9ys7g0ev9sbv73a4ec6efj",
            "a.pdf",
            "TAO-USD",
            "",
            " ",
            "a\n",
            "{id}",
            "%2F",
        ]
    ),
    st.text(max_size=5),
)
FILLED = st.sampled_from(PATHS).flatmap(
    lambda path: st.tuples(*(SEGMENTS if "{" in it else st.just(it) for it in path.split("/"))).map(
        "/".join
    )
)
ANY = st.lists(SEGMENTS, max_size=8).map(lambda it: "/" + "/".join(it))


@settings(max_examples=400)
@given(st.one_of(FILLED, ANY, ANY.map(lambda it: f"/v1{it}")))
def test_what_the_table_finds_is_what_the_router_finds(path: str):
    found = table_says(path)
    assert found is None or found == starlette_says(path)


@pytest.mark.parametrize("path", PATHS)
def test_every_path_but_those_with_half_segments_is_in_the_table(path: str):
    asked = path.replace("{id}", "ca_1").replace("{hold}", "ho_1")
    is_for_the_router = path.startswith(
        (
            "/v1/prices/",
            "/v1/invoices",
            "/v1/credit_notes",
            "/v1/reports/",
            "/v1/reconciliations",
        )
    )
    assert (table_says(asked) is None) == is_for_the_router
