"""Somebody an invoice is from or for, as it is printed: name, address, and the numbers the law asks
for.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    line1: str
    city: str
    country: str  # ISO 3166-1, two letters
    postal_code: str | None = None
    line2: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Party:
    name: str
    address: Address | None = None
    tax_id: str | None = None  # a VAT number begins with its country
    email: str | None = None
