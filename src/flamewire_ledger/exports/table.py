"""The journal as a table: one row a posting, the same columns as CSV and as Parquet.

CSV is for people and scripts. Parquet is for whoever asks questions of millions of rows; its library is
large, so that it is imported when it is asked for (`pip install 'flamewire-ledger[exports]'`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC
from decimal import Decimal
from typing import Any, Final

from flamewire_ledger.billing.journal import Entry, Moment
from flamewire_ledger.billing.trial import Gain
from flamewire_ledger.domain.money import major_text
from flamewire_ledger.exports.format import FormatUnavailable, Heading, plain
from flamewire_ledger.exports.opening import Opening
from flamewire_ledger.exports.text import cell

_COLUMNS: Final = (
    "position", "line", "at", "recorded_at", "event_type", "stream_id", "debit", "credit", "asset",
    "amount_minor", "amount", "currency", "value_minor", "value", "unvalued", "price", "price_source",
)  # fmt: skip
_TEXTS: Final = frozenset(_COLUMNS) - {"position", "line", "at", "recorded_at", "value_minor"}
_GROUP_ROWS: Final = 20_000  # of Parquet, kept until a group is whole


def _row(entry: Entry, moment: Moment) -> tuple[Any, ...]:
    """Amounts as text, so that no reader rounds them."""
    decimals = entry.amount.asset.decimals
    value, price = entry.value, entry.price
    return (
        entry.position,
        entry.line,
        entry.at.astimezone(UTC),
        entry.recorded_at.astimezone(UTC),
        entry.type,
        entry.stream_id,
        entry.debit,
        entry.credit,
        entry.amount.asset.code,
        str(entry.amount.units),
        entry.amount.text,
        moment.currency.symbol,
        value,
        None if value is None else major_text(value, moment.currency.decimals),
        None if value is not None else major_text(entry.carried.unvalued_units, decimals),
        None if price is None else plain(price),
        "carried" if entry.priced is None and value is not None else _source(entry),
    )


def _source(entry: Entry) -> str | None:
    return None if entry.priced is None else entry.priced.by or entry.priced.source


class Csv:
    media_type = "text/csv; charset=utf-8"
    extension = "csv"

    def __init__(self) -> None:
        self._moment: Moment | None = None

    def head(self, heading: Heading) -> bytes:
        self._moment = heading.moment
        return _lines([_COLUMNS])

    def account(self, account: str) -> bytes:
        return b""

    def commodity(self, code: str, decimals: int) -> bytes:
        return b""

    def opening(self, opening: Opening) -> bytes:
        """Rows at position 0; who puts windows together leaves them out."""
        return self.event(opening.entries, ())

    def event(self, entries: Sequence[Entry], gains: Sequence[Gain]) -> bytes:
        assert self._moment is not None, "the head comes first"
        rows = [_row(entry, self._moment) for entry in entries]
        return _lines([(*row[:2], *(it.isoformat() for it in row[2:4]), *row[4:]) for row in rows])

    def end(self) -> bytes:
        return b""


def _lines(rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([map(cell, row) for row in rows])
    return text.getvalue().encode()


class Parquet:
    media_type = "application/vnd.apache.parquet"
    extension = "parquet"

    def __init__(self) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise FormatUnavailable(
                "Parquet needs pyarrow: pip install 'flamewire-ledger[exports]'."
            ) from None
        self._arrow = pyarrow
        kinds = {
            "position": pyarrow.int64(),
            "line": pyarrow.int16(),
            "at": pyarrow.timestamp("us", tz="UTC"),
            "recorded_at": pyarrow.timestamp("us", tz="UTC"),
            "value_minor": pyarrow.decimal256(76),
        }
        self._schema = pyarrow.schema(
            [(name, pyarrow.string() if name in _TEXTS else kinds[name]) for name in _COLUMNS]
        )
        self._file = io.BytesIO()
        self._writer = pyarrow.parquet.ParquetWriter(_Drain(self._file), self._schema)
        self._rows: list[tuple[Any, ...]] = []
        self._moment: Moment | None = None

    def head(self, heading: Heading) -> bytes:
        self._moment = heading.moment
        return b""

    def account(self, account: str) -> bytes:
        return b""

    def commodity(self, code: str, decimals: int) -> bytes:
        return b""

    def opening(self, opening: Opening) -> bytes:
        """Rows at position 0; who puts windows together leaves them out."""
        return self.event(opening.entries, ())

    def event(self, entries: Sequence[Entry], gains: Sequence[Gain]) -> bytes:
        assert self._moment is not None, "the head comes first"
        self._rows += [_row(entry, self._moment) for entry in entries]
        if len(self._rows) < _GROUP_ROWS:
            return b""
        self._write()
        return self._drained()

    def end(self) -> bytes:
        if self._rows:
            self._write()
        self._writer.close()
        return self._drained()

    def _write(self) -> None:
        columns = {
            name: [
                _whole(row[number]) if name == "value_minor" else row[number] for row in self._rows
            ]
            for number, name in enumerate(_COLUMNS)
        }
        self._writer.write_table(self._arrow.table(columns, schema=self._schema))
        self._rows = []

    def _drained(self) -> bytes:
        """What was written since the last time; it is not kept."""
        piece = self._file.getvalue()
        self._file.seek(0)
        self._file.truncate()
        return piece


def _whole(value: int | None) -> Decimal | None:
    return None if value is None else Decimal(value)


class _Drain(io.RawIOBase):
    """A file that is only ever appended to; how far it is it counts by itself."""

    def __init__(self, into: io.BytesIO) -> None:
        self._into = into
        self._length = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        length = self._into.write(bytes(data))
        self._length += length
        return length

    def tell(self) -> int:
        return self._length
