"""Fields that many requests share: amounts as text, ids, times, positions; each with its bounds and
its sentence.

Requests are read strictly: a number is no text, an unknown field is a mistake, and a control
character is refused because neither a log line nor a JSON column can hold it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

POSITION_MAX: Final = 2**63 - 1  # a bigint
AMOUNT_EXAMPLE: Final = "25.00"
_AMOUNT: Final = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?\Z")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII
)


class Body(BaseModel):
    """What comes in a request's body."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class NoBody(Body):
    """Nothing at all, or an empty object."""


class View(BaseModel):
    """What goes out. Used to describe answers; they are made as plain JSON."""

    model_config = ConfigDict(extra="forbid")


class Query(BaseModel):
    """What every query may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _amount(value: Any) -> str:
    if not isinstance(value, str) or not _AMOUNT.match(value):
        raise PydanticCustomError(
            "invalid_amount", 'an amount is a plain decimal in a string, such as "25.00"'
        )
    return value


def _text(value: str) -> str:
    if not is_clean(value):
        raise PydanticCustomError("malformed", "text has no control characters")
    return value


def is_clean(value: str) -> bool:
    """Whether it holds nothing that neither a log line nor a database can."""
    # What can be printed holds none of them, and is told in a third of the time.
    return value.isprintable() or _CONTROL.search(value) is None


def _time(value: Any) -> datetime:
    if not isinstance(value, str) or not _TIME.match(value):
        raise PydanticCustomError(
            "malformed", "a time is RFC 3339 with its offset, such as 2026-01-31T12:00:00Z"
        )
    try:
        return parse_time(value)
    except (ValueError, OverflowError):
        raise PydanticCustomError("malformed", "there is no such time") from None


def parse_time(text: str) -> datetime:
    """RFC 3339 → aware UTC, to the microsecond; ValueError or OverflowError when there is no such
    time.
    """
    whole, _, rest = text.upper().replace("Z", "+00:00").partition(".")
    if rest:
        digits = re.match(r"\d+", rest)
        assert digits is not None, "the caller has matched the shape"
        whole = f"{whole}.{digits[0][:6]:0<6}{rest[digits.end() :]}"
    return datetime.fromisoformat(whole).astimezone(UTC)


def is_time(text: str) -> bool:
    return _TIME.match(text) is not None


# ISO 3166-1, two letters: those of one first letter together.
_COUNTRIES: Final = (
    "A[DEFGILMOQRSTUWXZ]|B[ABDEFGHIJLMNOQRSTVWYZ]|C[ACDFGHIKLMNORUVWXYZ]|D[EJKMOZ]|"
    "E[CEGHRST]|F[IJKMOR]|G[ABDEFGHILMNPQRSTUWY]|H[KMNRTU]|I[DELMNOQRST]|J[EMOP]|"
    "K[EGHIMNPRWYZ]|L[ABCIKRSTUVY]|M[ACDEFGHKLMNOPQRSTUVWXYZ]|N[ACEFGILOPRUZ]|OM|"
    "P[AEFGHKLMNRSTWY]|QA|R[EOSUW]|S[ABCDEGHIJKLMNORSTVXYZ]|T[CDFGHJKLMNORTVWZ]|"
    "U[AGMSYZ]|V[ACEGINU]|W[FS]|Y[ET]|Z[AMW]"
)
AmountText = Annotated[
    str,
    Field(
        max_length=115,
        examples=[AMOUNT_EXAMPLE],
        json_schema_extra={"pattern": r"^(0|[1-9][0-9]*)(\.[0-9]+)?$"},
        description="A plain decimal in major units, with no more decimals than the asset has.",
    ),
    BeforeValidator(_amount),  # last: what stands behind it would be checked in Python
]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_text)]
Reference = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_text)]
Symbol = Annotated[str, Field(min_length=1, max_length=160), AfterValidator(_text)]
Identifier = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_text)]
MetadataKey = Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_text)]
MetadataValue = Annotated[str, Field(max_length=500), AfterValidator(_text)]
Metadata = Annotated[dict[MetadataKey, MetadataValue], Field(max_length=50)]
Time = Annotated[
    datetime,
    BeforeValidator(_time),
    Field(json_schema_extra={"type": "string", "format": "date-time"}),
]
Country = Annotated[
    str,
    Field(pattern=f"^({_COUNTRIES})$", examples=["DE"], description="ISO 3166-1, two letters."),
]
Position = Annotated[int, Field(ge=0, le=POSITION_MAX)]
Limit = Annotated[int, Field(ge=1, le=100)]


class Fresh(Query):
    """A query that waits, for at most two seconds, until what it reads has come to a position."""

    min_position: Position | None = Field(
        default=None,
        description="Wait (2 s at most) until what is read includes this position; else 503.",
    )


class Page(Fresh):
    """A list, newest first. Give one of the two ids at most."""

    limit: Limit = Field(default=20, description="How many, 100 at most.")
    starting_after: Identifier | None = Field(
        default=None, description="The id of the last one you have: what follows it."
    )
    ending_before: Identifier | None = Field(
        default=None, description="The id of the first one you have: what comes before it."
    )


class AsOf(Fresh):
    """A question about a moment that has been."""

    as_of: Annotated[str, Field(max_length=40), AfterValidator(_text)] | None = Field(
        default=None, description="A position, or an RFC 3339 time: the answer as it was then."
    )
