"""What a document says of itself, as PDF/A and Factur-X ask for it; with no time but its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from xml.sax.saxutils import escape

from flamewire_ledger.api.rendering import for_xml

CREATOR: Final = "FlameWire Ledger"
_XMP: Final = """<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about=""
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:pdf="http://ns.adobe.com/pdf/1.3/"
    xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
<dc:creator><rdf:Seq><rdf:li>{author}</rdf:li></rdf:Seq></dc:creator>
<pdf:Producer>fpdf2 v{version}</pdf:Producer>
<pdfaid:part>3</pdfaid:part>
<pdfaid:conformance>B</pdfaid:conformance>
<xmp:CreatorTool>{creator}</xmp:CreatorTool>
<xmp:CreateDate>{at}</xmp:CreateDate>
<xmp:ModifyDate>{at}</xmp:ModifyDate>
<xmp:MetadataDate>{at}</xmp:MetadataDate>
</rdf:Description>
</rdf:RDF>
</x:xmpmeta>"""


@dataclass(frozen=True, slots=True)
class Properties:
    """`at` is the one time in it."""

    title: str
    author: str
    at: datetime

    @classmethod
    def of(cls, title: str, author: str, at: datetime) -> Properties:
        return cls(for_xml(title), for_xml(author), at)

    def metadata(self) -> str:
        """What PDF/A asks for, as it is in the document's own properties."""
        return _XMP.format(
            title=escape(self.title),
            author=escape(self.author),
            at=self.at.astimezone(UTC).isoformat(timespec="seconds"),
            creator=CREATOR,
            version=_version(),
        )

    def facturx_metadata(self, xml_name: str) -> str:
        """As Factur-X 1.0, section 6.3 asks for; with the time of the document."""
        from facturx import generate_xmp_object
        from lxml import etree

        described = generate_xmp_object(
            {
                "pdfa3_flavor": "B",
                "title": self.title,
                "author": self.author,
                "subject": self.title,
                "producer": f"fpdf2 v{_version()}",
                "creator_tool": CREATOR,
                "timestamp": self.at.isoformat(timespec="seconds"),
                "urn": "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#",
                "documenttype": "INVOICE",
                "xml_filename": xml_name,
                "version": "1.0",
                "xmp_level": "EN 16931",
            }
        )
        text: str = etree.tostring(described, encoding="unicode")
        return text


def _version() -> str:
    from fpdf import FPDF_VERSION

    return str(FPDF_VERSION)
