"""Text by Specific Character Set: every byte is either a declared character or visible as `<E9>`."""

import pytest

from dicom_nodes.encoding.text import TextDecoder


@pytest.mark.parametrize(
    ("charset", "value", "expected"),
    [
        (None, b"M\xfcller", "M<FC>ller"),
        ("ISO_IR 6", b"\xff\\1", "<FF>\\1"),
        ("ISO_IR 192", b"M\xfcller", "M<FC>ller"),
        ("ISO_IR 100", b"M\xfcller", "Müller"),
        ("\\ISO 2022 IR 87", b"M\xfcller", "M<FC>ller"),
        ("ISO 2022 IR 6\\ISO 2022 IR 149", b"\xb1", "<B1>"),
        ("ISO 2022 IR 6\\ISO 2022 IR 149", b"\x1b$)C\xb1\\\xb1", "<B1>\\<B1>"),
        ("\\ISO 2022 IR 100", b"M\x1b-A\xfcller", "Müller"),
        ("unheard of", b"M\xfcller", "M<FC>ller"),
    ],
)
def test_an_undeclared_byte_is_marked_and_never_a_delimiter(charset: str | None, value: bytes, expected: str) -> None:
    decoder = TextDecoder(charset)

    assert decoder.decode(value) == expected
    assert decoder.is_readable(value) == ("<" not in expected)


@pytest.mark.parametrize(
    ("charset", "codec", "text"),
    [
        ("GB18030", "gb18030", "誠\\乗"),
        ("GBK", "gbk", "誠\\乗"),
        ("ISO_IR 13", "shift_jis", "ｱ\\ｲ"),
        ("\\ISO 2022 IR 87", "iso2022_jp", "Yamada=山\\田"),
        ("ISO_IR 192", "utf-8", "é\\ñ"),
    ],
)
def test_a_backslash_inside_a_character_parts_no_values(charset: str, codec: str, text: str) -> None:
    assert TextDecoder(charset).decode(text.encode(codec)) == text


@pytest.mark.parametrize("codec", ["gbk", "gb18030"])
def test_half_a_character_that_is_a_backslash_is_kept(codec: str) -> None:
    inside = next(c for c in map(chr, range(0x4E00, 0x9FA5)) if c.encode(codec)[1:] == b"\\")

    assert TextDecoder(codec.upper()).decode(inside.encode(codec)) == inside


def test_a_kanji_whose_second_byte_is_a_backslash_is_kept() -> None:
    inside = next(c for c in map(chr, range(0x4E00, 0x9FA5)) if b"\\" in _jis(c))

    assert TextDecoder("\\ISO 2022 IR 87").decode(_jis(inside)) == inside


def _jis(character: str) -> bytes:
    try:
        return character.encode("iso2022_jp")
    except UnicodeEncodeError:
        return b""


@pytest.mark.parametrize(("value", "expected"), [(b"a\0b\0", "a<00>b"), (b"1.2\0\\1.3\0", "1.2\\1.3"), (b"\0\0", "")])
def test_a_nul_is_padding_at_the_end_of_a_value_and_marked_inside(value: bytes, expected: str) -> None:
    assert TextDecoder(None).decode(value) == expected
