"""Text as other programs may read it. A token may call itself anything: what it says stays text.

It ends no line, closes no quotation mark, and is no formula to a spreadsheet.
"""

from __future__ import annotations

import re
from typing import Any, Final

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?\Z")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def one_line(text: str) -> str:
    """Without what ends a line or moves a cursor."""
    return _CONTROL.sub(" ", text)


def in_quotes(text: str) -> str:
    """What stands between two quotation marks, where a backslash escapes them."""
    return one_line(text).replace("\\", "\\\\").replace('"', '\\"')


def cell(value: Any) -> Any:
    """A cell of a table of comma-separated values: text that a spreadsheet would take for a formula
    has an apostrophe before it (https://owasp.org/www-community/attacks/CSV_Injection).
    """
    if isinstance(value, str) and value.startswith(_FORMULA) and not _NUMBER.match(value):
        return f"'{value}"
    return value
