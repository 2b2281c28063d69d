"""Metered prices of plans: from the terms as they are written down to prices that can be charged."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from flamewire_ledger.billing.pricing import Percentage, Price, PriceInvalid, from_data
from flamewire_ledger.domain.plan_terms import PriceTerms, PriceTier


def price_of(terms: PriceTerms) -> Price:
    """Raises PriceInvalid, whose pointer names the field at fault."""
    price = from_data(data_of(terms))
    if isinstance(price, Percentage) and price.is_by_event:
        # A plan bills what a meter came to in a period: what each event was is not known then.
        raise PriceInvalid("a plan's percentage has no minimum or maximum by event", "/minimum")
    return price


def data_of(terms: PriceTerms | PriceTier) -> dict[str, Any]:
    """As JSON has it: without what is not said."""
    said = {field.name: getattr(terms, field.name) for field in fields(terms)}
    if said.get("tiers") is not None:
        said["tiers"] = [data_of(tier) for tier in said["tiers"]]
    return {name: value for name, value in said.items() if value is not None}
