"""What PDF/A-3B (ISO 19005-3) asks for, as far as a document of ours could break it.

No package of a registry brings a validator along; these are the requirements, read from the bytes
by pypdf and the embedded fonts by fontTools. Numbers are clauses of ISO 19005-2, which part 3
repeats.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as Xml

from fontTools.ttLib import TTFont
from pypdf import PdfReader
from pypdf.generic import ContentStream, DictionaryObject, StreamObject

_ID = "{http://www.aiim.org/pdfa/ns/id/}"
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_FORBIDDEN_KEYS = {"/AA", "/JavaScript", "/JS", "/Encrypt", "/XFA", "/Alternates"}
_FORBIDDEN_FILTERS = {"/LZWDecode", "/Crypt"}
_WIDTH_OFF_MAX = 1  # thousandths of an em (6.2.11.5)


def broken_requirements(pdf: bytes) -> list[str]:
    """Each as its clause and a sentence; none for a document that can be archived."""
    reader = PdfReader(io.BytesIO(pdf))
    return [
        *_file(pdf, reader),
        *_objects(reader),
        *_metadata(reader),
        *_output_intent(reader),
        *_attachments(reader),
        *_fonts(reader),
        *_pages(reader),
    ]


def _file(pdf: bytes, reader: PdfReader) -> Iterator[str]:
    if not re.match(rb"%PDF-1\.[0-7]\n%[\x80-\xff]{4}", pdf):
        yield "6.1.2: the header is a version and a comment of four bytes above 127"
    identifier = reader.trailer.get("/ID")
    if identifier is None or len(identifier) != 2:
        yield "6.1.3: the trailer has an ID of two strings"
    if "/Encrypt" in reader.trailer:
        yield "6.1.3: nothing is encrypted"
    if not pdf.rstrip(b"\r\n").endswith(b"%%EOF"):
        yield "6.1.3: nothing is behind the end of the file"


def _objects(reader: PdfReader) -> Iterator[str]:
    for found in _all(reader):
        for key in _FORBIDDEN_KEYS & set(found):
            yield f"6.6.1: nothing acts by itself, as {key} would"
        if isinstance(found.get("/OpenAction"), DictionaryObject):
            yield "6.6.1: it opens at a place, and does nothing else"
        if isinstance(found, StreamObject):
            filters = found.get("/Filter", [])
            named = set(filters) if isinstance(filters, list) else {filters}
            if named & _FORBIDDEN_FILTERS or "/F" in found:
                yield "6.1.7: streams are in the file, and neither LZW nor encrypted"
        if found.get("/Type") == "/ExtGState" and (
            found.get("/ca", 1) != 1
            or found.get("/CA", 1) != 1
            or found.get("/SMask", "/None") != "/None"
        ):
            yield "6.2.10: nothing is transparent"
        if found.get("/S") == "/Transparency" and "/CS" not in found:
            yield "6.2.10: a transparency group has a colour space"


def _all(reader: PdfReader) -> Iterator[DictionaryObject]:
    for number in range(1, reader.trailer["/Size"]):
        found: Any = reader.get_object(number)
        if isinstance(found, DictionaryObject):
            yield found


def _metadata(reader: PdfReader) -> Iterator[str]:
    stream = reader.trailer["/Root"].get("/Metadata")
    if stream is None:
        yield "6.6.2.1: the catalog has metadata"
        return
    stream = stream.get_object()
    if "/Filter" in stream:
        yield "6.6.2.1: metadata can be read without unpacking"
    text = stream.get_data()
    if not text.lstrip().startswith(b"<?xpacket begin="):
        yield "6.6.2.1: metadata are an XMP packet"
    root = Xml.fromstring(text[text.index(b"<x:xmpmeta") : text.index(b"</x:xmpmeta>") + 12])
    if (_one(root, f"{_ID}part"), _one(root, f"{_ID}conformance")) != ("3", "B"):
        yield "6.6.4: metadata say that it is PDF/A-3B"
    if "/Info" in reader.trailer:
        yield "6.6.3: properties are said once, in the metadata, where nothing can differ"
    spaces = set(re.findall(rb"xmlns:(\w+)=", text))
    if b"fx" in spaces and not re.search(rb"pdfaSchema:prefix>\s*fx\s*<", text):
        yield "6.6.2.3: names of its own are described"


def _one(root: Xml.Element, name: str) -> str | None:
    found = next(root.iter(name), None)
    if found is not None:
        return found.text
    attributes = (it.get(name) for it in root.iter(f"{_RDF}Description"))
    return next((it for it in attributes if it is not None), None)


def _output_intent(reader: PdfReader) -> Iterator[str]:
    intents = reader.trailer["/Root"].get("/OutputIntents", [])
    ours = [it.get_object() for it in intents if it.get_object()["/S"] == "/GTS_PDFA1"]
    if len(ours) != 1:
        yield "6.2.3: there is one output intent of PDF/A"
        return
    profile = ours[0]["/DestOutputProfile"].get_object()
    data = profile.get_data()
    if data[36:40] != b"acsp" or data[16:20] != b"RGB " or profile["/N"] != 3:
        yield "6.2.3: its profile is one of ICC, for the colours that are used"


def _attachments(reader: PdfReader) -> Iterator[str]:
    catalog: Any = reader.trailer["/Root"]
    associated = [it.get_object() for it in catalog.get("/AF", [])]
    for found in _all(reader):
        if found.get("/Type") != "/Filespec":
            continue
        if found.get("/AFRelationship") not in ("/Alternative", "/Source", "/Data"):
            yield "6.8: an attachment says how it relates to the document"
        if not {"/F", "/UF", "/EF", "/Desc"} <= set(found):
            yield "6.8: an attachment has its names and what it is"
        inside = found["/EF"]["/F"].get_object()
        if inside.get("/Subtype") != "/text/xml" or "/ModDate" not in inside.get("/Params", {}):
            yield "6.8: an attachment has its kind and its time"
        if all(found != it for it in associated):
            yield "6.8: an attachment belongs to the document"


def _fonts(reader: PdfReader) -> Iterator[str]:
    for font in _all(reader):
        if font.get("/Type") != "/Font":
            continue
        if font["/Subtype"] == "/Type0":
            yield from _type0(font)
        elif font["/Subtype"] != "/CIDFontType2":
            yield f"6.2.11.4: every font is embedded: {font.get('/BaseFont')}"


def _type0(font: DictionaryObject) -> Iterator[str]:
    name = font["/BaseFont"]
    child: Any = font["/DescendantFonts"][0].get_object()  # type: ignore[index]
    described = child["/FontDescriptor"].get_object()
    if "/FontFile2" not in described:
        yield f"6.2.11.4: every font is embedded: {name}"
        return
    if font["/Encoding"] != "/Identity-H" or "/CIDToGIDMap" not in child:
        yield f"6.2.11.3: a font says which sign is which: {name}"
    program = TTFont(io.BytesIO(described["/FontFile2"].get_object().get_data()))
    per_em, order = program["head"].unitsPerEm, program.getGlyphOrder()
    for cid, width in _widths(child["/W"]):
        glyph = _glyph(child, cid)
        if not glyph:
            continue  # the sign for what is missing, which no page has: 6.2.11.8
        if glyph >= len(order):
            yield f"6.2.11.4: a sign that is used is in the font: {cid} of {name}"
            continue
        real = program["hmtx"][order[glyph]][0] * 1000 / per_em
        if abs(real - width) > _WIDTH_OFF_MAX:
            yield f"6.2.11.5: widths are those of the font: {cid} of {name} is {real}, not {width}"


def _widths(table: Any) -> Iterator[tuple[int, float]]:
    rest = [it.get_object() for it in table]
    while rest:
        first, second = int(rest.pop(0)), rest.pop(0)
        if isinstance(second, list):
            yield from ((first + place, float(it)) for place, it in enumerate(second))
        else:
            width = float(rest.pop(0))
            yield from ((cid, width) for cid in range(first, int(second) + 1))


def _glyph(font: Any, cid: int) -> int:
    mapped = font["/CIDToGIDMap"].get_object()
    if mapped == "/Identity":
        return cid
    data = mapped.get_data()
    return int.from_bytes(data[2 * cid : 2 * cid + 2], "big")


def _pages(reader: PdfReader) -> Iterator[str]:
    for page in reader.pages:
        if page.get("/Annots"):
            yield "6.3: nothing lies above a page"
        fonts: Any = page["/Resources"]["/Font"]  # type: ignore[index]
        font: Any = None
        content = page.get_contents()
        assert content is not None
        for operands, operator in ContentStream(content, reader).operations:
            if operator == b"Tf":
                font = fonts[operands[0]].get_object()["/DescendantFonts"][0].get_object()
            elif operator in (b"Tj", b"TJ"):
                for text in operands if operator == b"Tj" else operands[0]:
                    if not isinstance(text, str | bytes):
                        continue
                    raw = getattr(text, "original_bytes", text)
                    cids = [int.from_bytes(raw[it : it + 2], "big") for it in range(0, len(raw), 2)]
                    if any(_glyph(font, cid) == 0 for cid in cids):
                        yield "6.2.11.8: no sign is the one for what is missing"
            elif operator in (b"k", b"K"):
                yield "6.2.4.3: colours are those of the output intent"
