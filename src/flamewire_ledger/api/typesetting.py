"""Text in any script, as it is drawn: which font has which sign, where lines end, and in which order
they are seen (Unicode Standard Annex 9).

What no font has a sign for is written as its number, `[U+1F469]`: never a box, and never nothing. So
are signs that turn round the order of others, as nobody would see them. Words are not looked up:
where a line has no space, as in Thai, it ends between two letters that can be parted.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeAlias

FONTS: Final = Path(__file__).parent / "static" / "fonts"
MAIN: Final = "ledger"
MAIN_FILES: Final = {"": "DejaVuSansCondensed.ttf", "B": "DejaVuSansCondensed-Bold.ttf"}
PAGES: Final = 3 * "\ue000"  # stands for the number of pages: no text has it, as it is no sign
# Fonts of one style. That of a script has all of it: the signs of a word are of one font.
_SCRIPTS: Final = (
    (0x0600, 0x06FF, "NotoSansArabic-Regular.ttf"),
    (0x0750, 0x077F, "NotoSansArabic-Regular.ttf"),
    (0x08A0, 0x08FF, "NotoSansArabic-Regular.ttf"),
    (0xFB50, 0xFDFF, "NotoSansArabic-Regular.ttf"),
    (0xFE70, 0xFEFE, "NotoSansArabic-Regular.ttf"),
    (0x0780, 0x07BF, "NotoSansThaana-Regular.ttf"),
    (0x0900, 0x097F, "NotoSansDevanagari-Regular.ttf"),
    (0x0980, 0x09FF, "NotoSansBengali-Regular.ttf"),
    (0x0A00, 0x0A7F, "NotoSansGurmukhi-Regular.ttf"),
    (0x0A80, 0x0AFF, "NotoSansGujarati-Regular.ttf"),
    (0x0B00, 0x0B7F, "NotoSansOriya-Regular.ttf"),
    (0x0B80, 0x0BFF, "NotoSansTamil-Regular.ttf"),
    (0x0C00, 0x0C7F, "NotoSansTelugu-Regular.ttf"),
    (0x0C80, 0x0CFF, "NotoSansKannada-Regular.ttf"),
    (0x0D00, 0x0D7F, "NotoSansMalayalam-Regular.ttf"),
    (0x0D80, 0x0DFF, "NotoSansSinhala-Regular.ttf"),
    (0x0E00, 0x0E7F, "NotoSansThai-Regular.ttf"),
    (0x1000, 0x109F, "NotoSansMyanmar-Regular.ttf"),
    (0x1200, 0x139F, "NotoSansEthiopic-Regular.ttf"),
    (0x1780, 0x19FF, "NotoSansKhmer-Regular.ttf"),
)
# What the main font has not, asked in this order.
IDEOGRAPHS: Final = "DroidSansFallback.ttf"
_MORE: Final = ("NotoSansCurrency-Regular.ttf", IDEOGRAPHS)
_ORDER_TURNED: Final = frozenset("\u202d\u202e")
_UNSEEN: Final = frozenset(
    "\u00ad\u061c\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u2060\u2066\u2067\u2068\u2069\ufeff"
) | frozenset(map(chr, range(0xFE00, 0xFE10)))  # variation selectors
_JOINERS: Final = frozenset("\u200c\u200d")
_SPACES: Final = frozenset(" \t\u200b\u2002\u2003\u2009\u3000")
# Thai and Lao vowels that stand before their letter, and such as stand behind it.
_BEFORE_A_LETTER: Final = frozenset("เแโใไເແໂໃໄ")
_BEHIND_A_LETTER: Final = frozenset("ะาำๅๆฯະາຳ")
_ENDS_NO_LINE: Final = frozenset("（「『【〈《〔［｛")
_BEGINS_NO_LINE: Final = frozenset(
    "、。，．・：；？！）」』】〉》〕］｝ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ"
)
_SIGNS_MAX: Final = 8_192  # that are remembered
_FROM_THE_LEFT: Final = frozenset(("L", "EN", "ES", "ET", "CS", "NSM", "ON", "WS", "S", ""))
_VIRAMA: Final = 9  # the combining class of signs that join the next letter


@dataclass(frozen=True, slots=True)
class Run:
    """Signs of one font that go one way, in the order in which they are read."""

    text: str
    font: str = MAIN  # or the name of its file
    is_right_to_left: bool = False

    @property
    def is_shaped(self) -> bool:
        """The form of its signs depends on their neighbours."""
        return (
            self.is_right_to_left
            or self.font not in (MAIN, *_MORE)
            or any(unicodedata.combining(sign) for sign in self.text)
        )


Line: TypeAlias = tuple[Run, ...]  # in the order in which it is seen, from the left


@dataclass(frozen=True, slots=True)
class _Sign:
    sign: str
    font: str
    level: int  # of Annex 9: odd is from right to left

    @property
    def is_space(self) -> bool:
        return self.sign in _SPACES


_Word: TypeAlias = tuple[_Sign, ...]


def drawable(text: str) -> str:
    """The text with numbers in place of what has no sign."""
    if is_plain(text):
        return text
    return "".join(it if _is_drawable(it) else f"[U+{ord(it):04X}]" for it in _flat(text))


def is_replaced(text: str) -> bool:
    return not is_plain(text) and not all(map(_is_drawable, _flat(text)))


def _flat(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\t", " ")


def is_plain(text: str) -> bool:
    """The main font has all of it, each sign stands for itself, and it goes from left to right."""
    return _plain_signs().issuperset(text)


def lines_of(text: str, room: float, width_of: Callable[[Run], float]) -> list[Line]:
    """What is drawn of a text that is drawable, in lines no wider than that."""
    lines: list[Line] = []
    for paragraph in text.split("\n"):
        broken = _broken(_signs_of(paragraph), room, _measured(width_of))
        lines += [_seen(line) for line in broken] or [()]
    return lines


def _measured(width_of: Callable[[Run], float]) -> Callable[[_Word], float]:
    """The same words and letters come again and again."""
    known: dict[_Word, float] = {}

    def width(word: _Word) -> float:
        if word not in known:
            known[word] = sum(width_of(run) for run in _seen(word))
        return known[word]

    return width


def _signs_of(paragraph: str) -> list[_Sign]:
    levels = _levels(paragraph)
    signs: list[_Sign] = []
    font = MAIN
    for sign, level in zip(paragraph, levels, strict=True):
        found = _font_of(sign, font)
        if found is not None:
            font = found
            signs.append(_Sign(sign, font, level))
    return signs


def _levels(paragraph: str) -> list[int]:
    if all(unicodedata.bidirectional(sign) in _FROM_THE_LEFT for sign in paragraph):
        return [0] * len(paragraph)
    from fpdf.bidi import BidiParagraph

    found = BidiParagraph(text=paragraph)
    levels: list[int | None] = [None] * len(paragraph)
    for it in found.get_characters_with_embedding_level():
        levels[it.character_index] = it.embedding_level
    made: list[int] = []
    for level in levels:  # what Annex 9 takes out goes with what is before it
        before = made[-1] if made else found.base_embedding_level
        made.append(before if level is None else level)
    return made


def _font_of(sign: str, before: str) -> str | None:
    """The font to draw it in, behind a sign of `before`; None: it is not drawn."""
    goes_along = sign in _JOINERS or sign in _SPACES or unicodedata.category(sign)[0] == "M"
    if goes_along and sign in _signs(before):
        return before
    return None if sign in _UNSEEN else _own_font_of(sign)


@lru_cache(maxsize=_SIGNS_MAX)
def _own_font_of(sign: str) -> str:
    return next(it for it in _fonts_for(sign) if sign in _signs(it))


def _broken(
    signs: Sequence[_Sign], room: float, width: Callable[[_Word], float]
) -> Iterator[list[_Sign]]:
    line: list[_Sign] = []
    used = 0.0
    for word in _words(signs):
        bare = width(_bare(word))
        if line and used + bare > room:
            yield line
            line, used = [], 0.0
        if bare <= room:
            line += word
            used += width(word)
            continue
        for part in _clusters(word):
            if line and used + width(part) > room:
                yield line
                line, used = [], 0.0
            line += part
            used += width(part)
    if line:
        yield line


def _words(signs: Sequence[_Sign]) -> Iterator[_Word]:
    """Each with the spaces behind it."""
    word: list[_Sign] = []
    for it in signs:
        if word and _may_part(word[-1], it):
            yield tuple(word)
            word = []
        word.append(it)
    if word:
        yield tuple(word)


def _may_part(before: _Sign, after: _Sign) -> bool:
    if after.is_space or after.sign in _BEGINS_NO_LINE or before.sign in _ENDS_NO_LINE:
        return False
    return before.is_space or _is_ideograph(before.sign) or _is_ideograph(after.sign)


def _is_ideograph(sign: str) -> bool:
    """Or kana: a line may end before and behind it. Korean has spaces between its words."""
    return (
        "\u3000" <= sign <= "\u30ff" or "\u3400" <= sign <= "\u9fff" or "\uff00" <= sign <= "\uffef"
    )


def _bare(word: _Word) -> _Word:
    end = len(word)
    while end and word[end - 1].is_space:
        end -= 1
    return word[:end]


def _clusters(word: _Word) -> Iterator[_Word]:
    """What is never parted: a letter with its marks, and letters that are written as one."""
    part: list[_Sign] = []
    for it in word:
        if part and not _belongs(part[-1].sign, it.sign):
            yield tuple(part)
            part = []
        part.append(it)
    if part:
        yield tuple(part)


def _belongs(before: str, after: str) -> bool:
    return (
        unicodedata.category(after)[0] == "M"
        or after in _JOINERS
        or before in _JOINERS
        or unicodedata.combining(before) == _VIRAMA
        or before in _BEFORE_A_LETTER
        or after in _BEHIND_A_LETTER
    )


def _seen(signs: Sequence[_Sign]) -> Line:
    """Rule L2: from the highest level to the lowest odd one, what is at it or above is turned round."""
    runs: list[tuple[int, Run]] = []
    for it in _bare(tuple(signs)):
        if runs and runs[-1][0] == it.level and runs[-1][1].font == it.font:
            level, run = runs.pop()
            runs.append((level, Run(run.text + it.sign, run.font, run.is_right_to_left)))
        else:
            runs.append((it.level, Run(it.sign, it.font, it.level % 2 == 1)))
    levels = [level for level, _ in runs]
    for least in range(max(levels, default=0), 0, -1):
        runs = _turned(runs, least)
    return tuple(run for _, run in runs)


def _turned(runs: Sequence[tuple[int, Run]], least: int) -> list[tuple[int, Run]]:
    made: list[tuple[int, Run]] = []
    held: list[tuple[int, Run]] = []
    for it in runs:
        if it[0] >= least:
            held.append(it)
        else:
            made += [*reversed(held), it]
            held = []
    return [*made, *reversed(held)]


@lru_cache(maxsize=_SIGNS_MAX)
def _is_drawable(sign: str) -> bool:
    if sign == "\n" or sign in _plain_signs():
        return True
    if sign in _ORDER_TURNED:
        return False
    return sign in _UNSEEN or any(sign in _signs(font) for font in _fonts_for(sign))


def _fonts_for(sign: str) -> Iterator[str]:
    yield from (file for first, last, file in _SCRIPTS if first <= ord(sign) <= last)
    yield MAIN
    yield from _MORE


@lru_cache(maxsize=1)
def _plain_signs() -> frozenset[str]:
    return frozenset(it for it in _main_signs() if it == " " or _is_plain_sign(it)) | {"\n"}


def _is_plain_sign(sign: str) -> bool:
    is_simple = unicodedata.category(sign)[0] not in "MCZ" or sign == "\u00a0"
    return is_simple and unicodedata.bidirectional(sign) not in ("R", "AL", "AN")


@lru_cache(maxsize=1)
def _main_signs() -> frozenset[str]:
    """The signs that both styles have."""
    normal, bold = (_of_file(name) for name in MAIN_FILES.values())
    return normal & bold


def _signs(font: str) -> frozenset[str]:
    return _main_signs() if font == MAIN else _of_file(font)


@lru_cache(maxsize=len(_SCRIPTS) + len(_MORE) + 2)
def _of_file(name: str) -> frozenset[str]:
    from fontTools.ttLib import TTFont

    table: dict[int, Any] = TTFont(FONTS / name, lazy=True).getBestCmap()
    signs = (chr(code) for code in table if unicodedata.category(chr(code)) not in ("Cc", "Co"))
    return frozenset(signs)
