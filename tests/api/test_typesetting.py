"""Text in any script: every sign is seen, in its order, and lines end where they may."""

from __future__ import annotations

import pytest

from flamewire_ledger.api.typesetting import MAIN, Line, Run, drawable, is_replaced, lines_of

SCRIPTS = {
    "Greek": "Ελληνικά",
    "Cyrillic": "Українська",
    "Hebrew": "שירותי ענן",
    "Arabic": "الخدمة السحابية",
    "Persian": "می‌خواهم",
    "Urdu": "ٹھیک ہے",
    "Thaana": "ދިވެހި",
    "Devanagari": "मासिक शुल्क ₹",
    "Bengali": "ক্লাউড পরিষেবা।",
    "Gurmukhi": "ਸੇਵਾ",
    "Gujarati": "સેવા",
    "Oriya": "ଓଡ଼ିଆ",
    "Tamil": "கட்டணம்",
    "Telugu": "రుసుము",
    "Kannada": "ಸೇವೆ",
    "Malayalam": "സേവനം",
    "Sinhala": "සේවාව",
    "Thai": "บริการคลาวด์ ฿",
    "Lao": "ບໍລິການ",
    "Burmese": "ဝန်ဆောင်မှု",
    "Amharic": "አገልግሎት",
    "Khmer": "សេវាកម្ម",
    "Georgian": "მომსახურება ₾",
    "Armenian": "Հայերեն",
    "Chinese": "云服务，月费。",
    "Japanese": "クラウド利用料ー",
    "Korean": "구름 서비스",
    "Vietnamese": "Tiếng Việt, Tie\u0302\u0301ng",
    "money": "€ £ ¥ ₿ ₺ ₴ ₽ ₦ ₼",
}


def laid(text: str, room: float = 1_000) -> list[Line]:
    """As if each sign were as wide as any other."""
    return lines_of(text, room, lambda run: len(run.text))


def read(lines: list[Line]) -> list[str]:
    """The lines as they are seen, from the left."""
    return ["".join(it.text[::-1] if it.is_right_to_left else it.text for it in x) for x in lines]


@pytest.mark.parametrize("text", SCRIPTS.values(), ids=SCRIPTS)
def test_a_script_has_a_font_and_nothing_of_it_is_lost(text: str) -> None:
    assert drawable(text) == text
    (line,) = laid(text)
    assert sorted("".join(run.text for run in line)) == sorted(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("👩‍💻 at work", "[U+1F469]\u200d[U+1F4BB] at work"),
        ("\U00013000", "[U+13000]"),
        ("to \u202eelcaro", "to [U+202E]elcaro"),
        ("a\x07b\ue000", "a[U+0007]b[U+E000]"),
        ("a\tb\r\nc", "a b\nc"),
    ],
)
def test_what_has_no_sign_or_turns_others_round_is_written_as_its_number(
    text: str, shown: str
) -> None:
    assert drawable(text) == shown
    assert is_replaced(text) == ("[U+" in shown)


def test_what_is_read_from_the_right_is_seen_so_and_numbers_are_not() -> None:
    assert read(laid("אבג 12.50 דה")) == ["הד 12.50 גבא"]
    assert read(laid("API: אבג (דה) 7")) == ["API: 7 )הד( גבא"], "brackets turn when they are drawn"
    assert read(laid("רק 5 EUR")) == ["EUR 5 קר"]


def test_the_first_words_are_on_the_first_line_also_from_the_right() -> None:
    assert read(laid("אאא בבב גגג דדד", 7)) == ["בבב אאא", "דדד גגג"]


def test_lines_of_chinese_and_japanese_end_anywhere_but_before_a_full_stop() -> None:
    assert read(laid("云服务月费。云服务", 5)) == ["云服务月", "费。云服务"]
    assert read(laid("云服（务月费", 3)) == ["云服", "（务月", "费"]


def test_a_letter_keeps_its_marks_and_its_vowels() -> None:
    for text, room in (("เดือนเดือน", 3), ("เกี่ยวกับ", 3), ("क्षक्षक्ष", 4)):
        lines = read(laid(text, room))
        assert len(lines) > 1
        assert "".join(lines) == text
        for line in lines:
            assert line[0] not in "ีิืุู่้ั็ะำ\u094d\u0937"
            assert line[-1] not in "เแโใไ\u094d"


def test_a_word_is_whole_where_it_has_room() -> None:
    assert read(laid("ขาย ข้าวสาร นา", 8)) == ["ขาย", "ข้าวสาร", "นา"]


def test_runs_are_of_one_font_and_spaces_and_marks_go_along() -> None:
    (line,) = laid("API शुल्क 2026 บาท\u0301")
    assert [run.font.removesuffix("-Regular.ttf") for run in line] == [
        MAIN, "NotoSansDevanagari", MAIN, "NotoSansThai", MAIN,
    ]  # fmt: skip
    assert [run.is_shaped for run in line] == [False, True, False, True, True]


def test_an_empty_line_is_a_line() -> None:
    assert laid("ก\n\nข") == [
        (Run("ก", "NotoSansThai-Regular.ttf"),),
        (),
        (Run("ข", "NotoSansThai-Regular.ttf"),),
    ]
