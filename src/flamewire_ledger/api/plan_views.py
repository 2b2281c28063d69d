"""Plans as they look in answers, and as bodies describe them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import msgspec

from flamewire_ledger.api.call import Call
from flamewire_ledger.api.currencies import find_currency, read_amount
from flamewire_ledger.api.models.plans import IntervalBody, MeteredPriceBody, PlanTermsBody
from flamewire_ledger.api.reading import Row
from flamewire_ledger.api.rendering import money, time
from flamewire_ledger.billing.plan_prices import data_of, price_of
from flamewire_ledger.billing.pricing import PriceInvalid, from_data, to_data
from flamewire_ledger.domain.credit_account import CREDIT
from flamewire_ledger.domain.invoice import plain_rate
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.plan import Plan
from flamewire_ledger.domain.plan_terms import (
    FixedPrice,
    IncludedCredits,
    Interval,
    MeteredPrice,
    PlanEntitlement,
    PlanTerms,
    PlanVersion,
    PriceTerms,
)
from flamewire_ledger.domain.rejection import Malformed

_LINES_MAX: Final = 400  # that metered prices can come to on one bill


def terms_of_body(call: Call, body: PlanTermsBody) -> PlanTerms:
    """The terms that were sent. Raises Malformed and its like, with the field at fault."""
    currency = find_currency(call.chains, body.currency, "/currency")
    fixed = tuple(
        FixedPrice(
            it.name, read_amount(it.amount, currency, f"/fixed_prices/{index}/amount", zero=True)
        )
        for index, it in enumerate(body.fixed_prices)
    )
    metered = tuple(
        _metered(it, f"/metered_prices/{index}") for index, it in enumerate(body.metered_prices)
    )
    lines = sum(2 * len(it.price.tiers or ()) + 2 for it in metered)
    if lines > _LINES_MAX:
        raise Malformed(
            f"metered prices come to {_LINES_MAX} lines at most", pointer="/metered_prices"
        )
    return PlanTerms(
        name=body.name,
        currency=currency,
        interval=_interval(body.interval),
        fixed=fixed,
        metered=metered,
        credits=_included(body),
        entitlements=tuple(
            PlanEntitlement(it.feature, it.kind, it.meter_id, it.limit, it.period)
            for it in body.entitlements
        ),
        trial_days=body.trial_days,
        trial_credits=_optional(body.trial_credits, CREDIT, "/trial_credits"),
        commitment=_optional(body.commitment, currency, "/commitment"),
        proration=body.proration,
        due_days=body.due_days,
        unpaid_days=body.unpaid_days,
        when_unpaid=body.when_unpaid,
        tax_rate=None if body.tax_rate is None else plain_rate(body.tax_rate),
        prices_include_tax=body.prices_include_tax,
    )


def _interval(body: IntervalBody) -> Interval:
    return Interval(body.unit, body.count)


def _optional(text: str | None, asset: Asset, pointer: str) -> Amount | None:
    return None if text is None else read_amount(text, asset, pointer)


def _included(body: PlanTermsBody) -> IncludedCredits | None:
    it = body.included_credits
    if it is None:
        return None
    amount = read_amount(it.amount, CREDIT, "/included_credits/amount")
    every = None if it.every is None else _interval(it.every)
    return IncludedCredits(amount, every, it.rolls_over, it.priority)


def _metered(body: MeteredPriceBody, pointer: str) -> MeteredPrice:
    try:
        # Read and written: what is kept says what it says in one way only.
        data = to_data(from_data(body.price))
        if data["model"] == "commitment":
            raise PriceInvalid("a plan has a commitment of its own", "/model")
        terms = msgspec.convert(data, PriceTerms)
        price_of(terms)
    except PriceInvalid as fault:
        raise Malformed(fault.detail, pointer=f"{pointer}/price{fault.pointer}") from None
    return MeteredPrice(body.name, body.meter_id, terms)


def of_state(plan: Plan) -> dict[str, Any]:
    return _view(plan.current, plan.is_archived, time(plan.created.created_at))


def of_row(row: Row) -> dict[str, Any]:
    version = PlanVersion(
        row["plan_id"], row["code"], row["plan_version"], terms_of_row(row["terms"])
    )
    view = _view(version, row["archived_at"] is not None, time(row["created_at"]))
    return {**view, "position": row["position"]}


def terms_of_row(data: Mapping[str, Any]) -> PlanTerms:
    return msgspec.convert(data, PlanTerms, dec_hook=_amount)


def version_of_row(data: Mapping[str, Any]) -> PlanVersion:
    return msgspec.convert(data, PlanVersion, dec_hook=_amount)


def _amount(wanted: Any, value: Any) -> Any:
    assert wanted is Amount, "amounts are all that JSON has no shape for"
    return Amount(Asset(value["asset"], value["decimals"]), int(value["units"]))


def _view(version: PlanVersion, is_archived: bool, created_at: str | None) -> dict[str, Any]:
    terms = version.terms
    included = terms.credits
    return {
        "id": version.plan_id,
        "object": "plan",
        "code": version.code,
        "version": version.version,
        "status": "archived" if is_archived else "active",
        "name": terms.name,
        "currency": terms.currency.code,
        "interval": _interval_view(terms.interval),
        "fixed_prices": [
            {"name": it.name, **money("amount", it.unit_amount)} for it in terms.fixed
        ],
        "metered_prices": [
            {"name": it.name, "meter_id": it.meter_id, "price": data_of(it.price)}
            for it in terms.metered
        ],
        "included_credits": None
        if included is None
        else {
            **money("amount", included.amount),
            "every": None if included.every is None else _interval_view(included.every),
            "rolls_over": included.rolls_over,
            "priority": included.priority,
        },
        "entitlements": [asdict(it) for it in terms.entitlements],
        "trial_days": terms.trial_days,
        **money("trial_credits", terms.trial_credits),
        **money("commitment", terms.commitment),
        "proration": terms.proration,
        "due_days": terms.due_days,
        "unpaid_days": terms.unpaid_days,
        "when_unpaid": terms.when_unpaid,
        "tax_rate": terms.tax_rate,
        "prices_include_tax": terms.prices_include_tax,
        "created_at": created_at,
    }


def _interval_view(interval: Interval) -> dict[str, Any]:
    return {"unit": interval.unit, "count": interval.count}
