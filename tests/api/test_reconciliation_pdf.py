"""A reconciliation on paper: every page is numbered, shares can be read, and no report is too long."""

from __future__ import annotations

import io
from typing import Any

import pytest
from pypdf import PdfReader

from flamewire_ledger.api import reconciliation_pdf
from flamewire_ledger.api.reconciliation_pdf import pdf_of
from flamewire_ledger.domain.reconciliation.matching import TO_DO

SIDE = {
    "opening": "1234.567890123456789012", "in": "1.0", "out": "0.0", "fees": "0.5", "closing": "1235.0",
}  # fmt: skip


def exception(kind: str, **changes: Any) -> dict[str, Any]:
    shown = {
        "kind": kind, "subject": f"ethereum/0x{'ab' * 32}/0", "age_seconds": 90_000, "expected": "25.0",
        "found": "0.0", "found_minor": "0", "asset_code": "ethereum:USDC", "found_instead": None,
        "block": 7, "to_do": TO_DO[kind],  # type: ignore[index]
    }  # fmt: skip
    return {**shown, **changes}


def report(*exceptions: dict[str, Any]) -> dict[str, Any]:
    return {
        "network": "ethereum", "chain_id": "eip155:1", "livemode": True, "id": "rc_1",
        "first_block": 1, "block": 9, "block_hash": "0xb9", "block_at": "2026-03-01T12:00:00Z",
        "completed_at": "2026-03-01T12:13:22Z", "matched": 3, "found": len(exceptions), "opened": 0,
        "settled": 0, "payments": {"split": 1}, "exceptions": exceptions, "code_version": "0.1.0",
        "assets": [
            {"asset_code": "ethereum:ETH", "chain": SIDE, "ledger": SIDE, "drift": "0.0",
             "drift_minor": "0", "left_untold": "0.0", "left_untold_minor": "0"}
        ],
        "log": [{"partition": 0, "position": 40, "merkle_root": "cd" * 32}],
    }  # fmt: skip


def text(report: dict[str, Any]) -> list[str]:
    """Of each page."""
    return [page.extract_text() for page in PdfReader(io.BytesIO(pdf_of(report))).pages]


def test_every_page_says_which_it_is_and_of_what() -> None:
    pages = text(report(*[exception("under")] * 12))
    assert len(pages) > 1
    for number, page in enumerate(pages, 1):
        assert f"{number} / {len(pages)}" in page
        assert "rc_1" in page


def test_a_share_is_in_percent() -> None:
    share = {"expected": "1000000 ppm", "found": "999999 ppm", "found_minor": "999999"}
    (page,) = text(report(exception("settled_without_money", asset_code=None, **share)))
    assert "99.9999 % of what was asked for came" in page
    assert "ppm" not in page


def test_the_same_report_is_the_same_paper() -> None:
    assert pdf_of(report()) == pdf_of(report())


def test_a_long_report_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation_pdf, "_EXCEPTIONS_MAX", 5)
    assert "3 more: see the CSV" in text(report(*[exception("not_on_chain")] * 8))[0]


def test_what_left_untold_stands_beside_the_drift_and_what_is_held() -> None:
    shown = report()
    (asset,) = shown["assets"]
    asset |= {"left_untold": "7.25", "left_untold_minor": "725", "drift": "7.25"}
    asset["chain"] = {**SIDE, "held": "3.5", "held_minor": "35"}
    (page,) = text(shown)
    assert "no disposal says so" in page
    assert page.count("7.25") == 2
    assert "3.5" in page
