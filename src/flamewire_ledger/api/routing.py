"""Routing: which endpoint a path is for, found in a table before Starlette's routes are tried.

Starlette asks the pattern of each route in turn, 10 µs for those at the end of the contract. Here
a path is cut at its slashes and looked up. Only resources whose parameters are whole segments are
in the table; what is not found in it is not unknown, but the Router's to say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

_PARAMETER: Final = "{"


@dataclass(frozen=True, slots=True)
class Place:
    """One path of the contract, cut at its slashes: what its segments are, or what they name."""

    endpoint: ASGIApp
    at: Sequence[int]  # where the segments stand that are as they are
    fixed: Sequence[str]  # those segments
    named: Sequence[tuple[int, str]]  # where the parameters stand, and what they are called


class Directory:
    """Finds the endpoint of a path, or asks the router."""

    def __init__(self, endpoints: Mapping[str, ASGIApp], router: ASGIApp) -> None:
        """`endpoints` by their path, `/v1/resource/{id}/action`."""
        self._router = router
        # By the number of segments and the last one; by "" where that is a parameter.
        self._places: dict[tuple[int, str], list[Place]] = defaultdict(list)
        resources = {path: path.split("/")[2] for path in endpoints}
        left_out = {resources[path] for path in endpoints if not _is_cut_at_slashes(path)}
        for path, endpoint in endpoints.items():
            if resources[path] not in left_out:
                self._add(path, endpoint)

    def _add(self, path: str, endpoint: ASGIApp) -> None:
        segments = path.split("/")
        named = [(i, it[1:-1]) for i, it in enumerate(segments) if it.startswith(_PARAMETER)]
        at = [i for i, it in enumerate(segments) if not it.startswith(_PARAMETER)]
        place = Place(endpoint, at, [segments[i] for i in at], named)
        last = "" if segments[-1].startswith(_PARAMETER) else segments[-1]
        self._places[len(segments), last].append(place)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = None
        if scope["type"] == "http" and not scope.get("root_path"):
            found = self.find(scope["path"])
        if found is None:
            await self._router(scope, receive, send)
            return
        endpoint, scope["path_params"] = found
        await endpoint(scope, receive, send)

    def find(self, path: str) -> tuple[ASGIApp, dict[str, str]] | None:
        """The endpoint and the parameters of a path."""
        segments = path.split("/")
        if not all(segments[1:]):
            return None  # an empty segment is no parameter
        count = len(segments)
        for last in (segments[-1], ""):
            for place in self._places.get((count, last), ()):
                if [segments[i] for i in place.at] == place.fixed:
                    return place.endpoint, {name: segments[i] for i, name in place.named}
        return None


def _is_cut_at_slashes(path: str) -> bool:
    """Whether each parameter is a segment, all of it."""
    return all(
        _PARAMETER not in it or (it.startswith(_PARAMETER) and it.find("}") == len(it) - 1)
        for it in path.split("/")
    )
