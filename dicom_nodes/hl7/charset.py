"""Character sets of HL7 messages (MSH-18, HL7 table 0211): every byte is a character, or the message is refused.

Absent means ASCII by the standard. UTF-8 is accepted there too, because text of another charset is practically never
valid UTF-8 by accident; anything else is refused rather than guessed (ADR 021).
"""

import re
import unicodedata

from dicom_nodes.hl7.faults import ErrorCode, Hl7Fault, Place

_CODECS = {"ASCII": "ascii", "UNICODE UTF-8": "utf-8", "UTF-8": "utf-8", "8859/15": "iso8859-15"}
_CODECS |= {f"8859/{part}": f"iso8859-{part}" for part in range(1, 10)}
_C1_CONTROL = re.compile("[\x80-\x9f]")
MSH_18 = Place("MSH", 18)


def codec_of(charset: str) -> str:
    """Python's codec for an MSH-18 value; the empty value is read as UTF-8, of which ASCII is a part.

    Raises:
        Hl7Fault: a character set we do not read.
    """
    if not charset:
        return "utf-8"
    try:
        return _CODECS[charset]
    except KeyError:
        known = "ASCII, 8859/1 to 8859/9, 8859/15 or UNICODE UTF-8"
        raise Hl7Fault(MSH_18, f"character set not supported; expected {known}", ErrorCode.TABLE_VALUE) from None


def decode(data: bytes, charset: str, place: Place) -> str:
    """Decode a value whose escapes are resolved.

    Raises:
        Hl7Fault: a byte that the character set does not have, or one of the C1 controls that nobody writes on purpose.
    """
    try:
        text = data.decode(codec_of(charset))
    except UnicodeDecodeError as error:
        declared = f"MSH-18 says {charset}" if charset else "MSH-18 is absent and the text is neither ASCII nor UTF-8"
        words = f"byte 0x{data[error.start]:02X} is no character here: {declared}"
        raise Hl7Fault(place, words, ErrorCode.DATA_TYPE) from None
    if not text.isascii() and (control := _C1_CONTROL.search(text)):
        words = f"byte 0x{ord(control[0]):02X} is a control code in MSH-18's character set; is it windows-1252?"
        raise Hl7Fault(place, words, ErrorCode.DATA_TYPE)
    return text


def kinds_not_in(text: str, charset: str) -> str:
    """Say in words which kinds of characters of `text` the character set lacks; empty when it has them all.

    Names kinds such as `Arabic letters` or `currency signs`, never the characters.
    """
    codec = codec_of(charset)
    kinds = {_kind(character) for character in set(text) if not _has(codec, character)}
    return ", ".join(sorted(kinds))


def _has(codec: str, character: str) -> bool:
    try:
        character.encode(codec)
    except UnicodeEncodeError:
        return False
    return codec == "utf-8" or not "\x80" <= character <= "\x9f"


_KINDS = {"Sc": "currency signs", "Sm": "mathematical signs", "So": "symbols", "Sk": "symbols", "Cc": "control codes"}


def _kind(character: str) -> str:
    category = unicodedata.category(character)
    if category.startswith("L"):
        script = unicodedata.name(character, "other").split()[0]
        return f"{script.title()} letters" if script == "LATIN" or script.isalpha() else "other letters"
    if category.startswith("P"):
        return "punctuation"
    return _KINDS.get(category, "other characters")
