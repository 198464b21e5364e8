"""Data sets in another layout: every value as it was, and what is not certain refused."""

import struct

import pytest

from dicom_nodes.encoding.walk import Layout, layout_of, walk
from dicom_nodes.pixels.reencoding import CannotConvertError, reencoded

EXPLICIT, IMPLICIT = layout_of("1.2.840.10008.1.2.1"), layout_of("1.2.840.10008.1.2")
BIG = layout_of("1.2.840.10008.1.2.2")


def explicit(tag: int, vr: bytes, value: bytes, order: str = "<") -> bytes:
    if vr in {b"OW", b"OB", b"OV", b"UN", b"SQ"}:
        return struct.pack(f"{order}HH2sHI", tag >> 16, tag & 0xFFFF, vr, 0, len(value)) + value
    return struct.pack(f"{order}HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def implicit(tag: int, value: bytes) -> bytes:
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value


def item(content: bytes, order: str = "<") -> bytes:
    return struct.pack(f"{order}HHI", 0xFFFE, 0xE000, len(content)) + content


def test_texts_keep_every_byte_also_those_their_character_set_does_not_have() -> None:
    data = explicit(0x00080005, b"CS", b"ISO_IR 100") + explicit(0x00100010, b"PN", b"O\xff\x81'BRIEN^SI\xc2N ")

    there = reencoded(data, EXPLICIT, IMPLICIT)

    assert b"O\xff\x81'BRIEN^SI\xc2N " in there
    assert reencoded(there, IMPLICIT, EXPLICIT) == data


def test_sequences_come_back_with_the_same_items() -> None:
    inner = explicit(0x00080100, b"SH", b"XCHEST")
    data = explicit(0x0040A730, b"SQ", item(inner) + item(b"") + item(inner + explicit(0x0040A730, b"SQ", item(inner))))

    assert reencoded(reencoded(data, EXPLICIT, IMPLICIT), IMPLICIT, EXPLICIT) == data


def test_sequences_of_undefined_length_get_a_length() -> None:
    inner = explicit(0x00080100, b"SH", b"XCHEST")
    delimited = (
        struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF)
        + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
        + inner
        + struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    )

    assert reencoded(delimited, EXPLICIT, EXPLICIT) == explicit(0x0040A730, b"SQ", item(inner))


@pytest.mark.parametrize(("representation", "vr"), [(0, b"US"), (1, b"SS")])
def test_ambiguous_kinds_follow_the_pixels_also_inside_sequences(representation: int, vr: bytes) -> None:
    number = struct.pack("<H", representation)
    inside = implicit(0x00283002, b"\x00\x01\x00\x80\x10\x00")
    data = implicit(0x00280103, number) + implicit(0x00280106, b"\xfe\xff") + implicit(0x00283000, item(inside))

    there = reencoded(data, IMPLICIT, EXPLICIT)

    assert [element.vr for element in walk(there, EXPLICIT)] == [b"US", vr, b"SQ"]
    assert explicit(0x00283002, vr, b"\x00\x01\x00\x80\x10\x00") in there


def test_private_elements_whose_kind_implicit_vr_does_not_say_become_unknown_with_their_bytes() -> None:
    data = implicit(0x00090010, b"VENDOR") + implicit(0x00091001, b"\x01\x02\x03\x04")

    expected = explicit(0x00090010, b"LO", b"VENDOR") + explicit(0x00091001, b"UN", b"\x01\x02\x03\x04")
    assert reencoded(data, IMPLICIT, EXPLICIT) == expected


def test_text_that_is_too_long_for_a_short_header_becomes_unknown() -> None:
    text = b"x" * 70_000

    assert reencoded(implicit(0x00324000, text), IMPLICIT, EXPLICIT) == explicit(0x00324000, b"UN", text)


def test_big_endian_numbers_are_turned_round_by_their_width() -> None:
    ordered = explicit(0x00280009, b"AT", b"\x00\x18\x10\x63", ">") + explicit(0x00280010, b"US", b"\x01\x02", ">")
    rest = explicit(0x00283010, b"SQ", item(explicit(0x00189073, b"FD", bytes(range(8)), ">"), ">"), ">")
    pixels = explicit(0x7FE00010, b"OW", b"\x01\x02\x03\x04", ">")

    assert reencoded(ordered + rest + pixels, BIG, EXPLICIT) == (
        explicit(0x00280009, b"AT", b"\x18\x00\x63\x10")
        + explicit(0x00280010, b"US", b"\x02\x01")
        + explicit(0x00283010, b"SQ", item(explicit(0x00189073, b"FD", bytes(range(7, -1, -1)))))
        + explicit(0x7FE00010, b"OW", b"\x02\x01\x04\x03")
    )


@pytest.mark.parametrize(
    ("data", "source"),
    [
        (explicit(0x00091001, b"UN", b"\x01\x02", ">"), BIG),
        (explicit(0x00280100, b"US", b"\x00\x20", ">") + explicit(0x7FE00010, b"OW", bytes(8), ">"), BIG),
        (
            struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)
            + item(b"")
            + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0),
            EXPLICIT,
        ),
    ],
    ids=["big endian of unknown kind", "big endian of 32 bits", "compressed pixels left over"],
)
def test_what_cannot_be_carried_over_for_certain_is_refused(data: bytes, source: Layout) -> None:
    with pytest.raises(CannotConvertError):
        reencoded(data, source, EXPLICIT)


def test_changes_stand_in_their_places_and_what_is_dropped_is_gone() -> None:
    data = explicit(0x00280010, b"US", b"\x01\x00") + explicit(0x7FE00001, b"OV", b"")

    there = reencoded(data, EXPLICIT, EXPLICIT, {0x00280004: (b"CS", b"RGB "), 0x7FE00001: None})

    assert there == explicit(0x00280004, b"CS", b"RGB ") + explicit(0x00280010, b"US", b"\x01\x00")
