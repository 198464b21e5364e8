"""How values lie in the catalogue's columns: small, and compared alike on SQLite and PostgreSQL.

Fifty million instances make every byte of a row fifty megabytes. Callers see UIDs, digests and times as ever.
"""

from binascii import Error as NotHexError
from binascii import hexlify, unhexlify
from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Dialect, Integer, LargeBinary, Text, TypeDecorator

ByteText = Text().with_variant(Text(collation="C"), "postgresql")
"""Text compared byte by byte, as SQLite does by itself: only so is a prefix a range of an index on both databases."""

RowKey = BigInteger().with_variant(Integer, "sqlite")
"""An integer primary key; on SQLite it is the rowid."""

_DIGITS = b".0123456789"
_PACKED = b"123456789ab"
_NOT_A_DIGIT = bytes(set(range(256)) - set(_DIGITS))
_PACK = bytes.maketrans(_DIGITS + _NOT_A_DIGIT, _PACKED + b"x" * len(_NOT_A_DIGIT))
_UNPACK = bytes.maketrans(_PACKED, _DIGITS)
_UNPACKED = b"\xff"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class PackedUid(TypeDecorator[str]):
    """A UID at two characters a byte, in the order of its text; what is no UID is kept as it is, behind 0xFF."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        del dialect
        return None if value is None else packed_uid(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        del dialect
        return None if value is None else unpacked_uid(bytes(value))


class HexBytes(TypeDecorator[str]):
    """A digest in hex, at two characters a byte."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        del dialect
        return None if value is None else bytes.fromhex(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        del dialect
        return None if value is None else value.hex()


class UtcMicroseconds(TypeDecorator[datetime]):
    """An aware UTC datetime as microseconds since 1970: 8 bytes where SQLite's text takes 26."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        del dialect
        return None if value is None else utc_microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        del dialect
        return None if value is None else _EPOCH + value * _MICROSECOND


def utc_microseconds(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime."""
    return (moment - _EPOCH) // _MICROSECOND


def packed_uid(uid: str) -> bytes:
    """`1.2.840` as `31 41 a6 20`; sorts as the text does."""
    text = uid.encode()
    try:
        return unhexlify(text.translate(_PACK) + b"0" * (len(text) % 2))
    except NotHexError:
        return _UNPACKED + text


def unpacked_uid(packed: bytes) -> str:
    """The text that `packed_uid` was given."""
    if packed.startswith(_UNPACKED):
        return packed[1:].decode()
    return hexlify(packed).translate(_UNPACK, delete=b"0").decode()
