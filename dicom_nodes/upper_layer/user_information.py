"""The user information item of A-ASSOCIATE-RQ and -AC with its sub-items (DICOM PS3.8 annex D, PS3.7 D.3.3)."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dicom_nodes.upper_layer.faults import invalid, unexpected
from dicom_nodes.upper_layer.pdu_types import ItemType, item, items, uid_of

UNLIMITED = 0
SMALLEST_MAXIMUM_LENGTH = 7
"""One byte of a message in a PDV (4 length, 1 context id, 1 control header): nothing smaller carries anything."""
_UNSTATED_MAXIMUM_LENGTH = 16_384


@dataclass(frozen=True, slots=True)
class AsynchronousOperationsWindow:
    """How many operations may be outstanding; 0 is unlimited (DICOM PS3.7 D.3.3.3)."""

    invoked: int
    performed: int


@dataclass(frozen=True, slots=True)
class RoleSelection:
    """Whether the requester is SCU, SCP or both of a SOP class (DICOM PS3.7 D.3.3.4)."""

    sop_class_uid: str
    scu: bool
    scp: bool


@dataclass(frozen=True, slots=True)
class ExtendedNegotiation:
    """Service-class-application-information of a SOP class (DICOM PS3.7 D.3.3.5)."""

    sop_class_uid: str
    application_information: bytes


@dataclass(frozen=True, slots=True)
class CommonExtendedNegotiation:
    """The service class and the general SOP classes that a SOP class belongs to (DICOM PS3.7 D.3.3.6)."""

    sop_class_uid: str
    service_class_uid: str
    related_general_sop_classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """Who the requester says it is (DICOM PS3.7 D.3.3.7): 1 name, 2 name and passcode, 3 Kerberos, 4 SAML, 5 JWT."""

    identity_type: int
    response_requested: bool
    primary: bytes = field(repr=False)
    secondary: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class UserInformation:
    """`maximum_length` is the largest P-DATA-TF content that its sender takes in; 0 is unlimited."""

    maximum_length: int
    implementation_class_uid: str = ""
    implementation_version_name: str = ""
    window: AsynchronousOperationsWindow | None = None
    roles: tuple[RoleSelection, ...] = ()
    extended: tuple[ExtendedNegotiation, ...] = ()
    common_extended: tuple[CommonExtendedNegotiation, ...] = ()
    identity: UserIdentity | None = None
    identity_response: bytes | None = None


def encode_user_information(value: UserInformation) -> bytes:
    """The item of type 50H."""
    parts = [item(ItemType.MAXIMUM_LENGTH, struct.pack(">L", value.maximum_length))]
    if value.implementation_class_uid:
        parts.append(item(ItemType.IMPLEMENTATION_CLASS_UID, value.implementation_class_uid.encode("ascii")))
    if value.window is not None:
        window = struct.pack(">HH", value.window.invoked, value.window.performed)
        parts.append(item(ItemType.ASYNCHRONOUS_OPERATIONS_WINDOW, window))
    for role in value.roles:
        parts.append(item(ItemType.ROLE_SELECTION, _counted(role.sop_class_uid) + bytes((role.scu, role.scp))))
    if value.implementation_version_name:
        parts.append(item(ItemType.IMPLEMENTATION_VERSION_NAME, value.implementation_version_name.encode("ascii")))
    for extended in value.extended:
        parts.append(
            item(ItemType.EXTENDED_NEGOTIATION, _counted(extended.sop_class_uid) + extended.application_information)
        )
    parts += [_encode_common(common) for common in value.common_extended]
    if value.identity is not None:
        parts.append(_encode_identity(value.identity))
    if value.identity_response is not None:
        parts.append(item(ItemType.USER_IDENTITY_AC, _counted(value.identity_response)))
    return item(ItemType.USER_INFORMATION, b"".join(parts))


def decode_user_information(content: bytes) -> UserInformation:
    """Read what follows the header of an item of type 50H; sub-items that we do not know are passed over.

    Raises:
        PduFault: a sub-item is damaged, or stands there twice though there can be one only.
    """
    single: dict[str, Any] = {}
    several: dict[str, list[Any]] = {"roles": [], "extended": [], "common_extended": []}
    for item_type, value in items(content):
        if item_type not in _READERS:
            continue
        name, read = _READERS[item_type]
        try:
            read_value = read(value)
        except (struct.error, IndexError):
            raise invalid(f"the sub-item {item_type:02X}H is cut short") from None
        if name in several:
            several[name].append(read_value)
        elif name in single:
            raise unexpected(f"the sub-item {item_type:02X}H stands there twice")
        else:
            single[name] = read_value
    single.setdefault("maximum_length", _UNSTATED_MAXIMUM_LENGTH)
    values = single | {name: tuple(values) for name, values in several.items()}
    return UserInformation(**values)


def _maximum_length(content: bytes) -> int:
    if len(content) != 4:
        raise invalid("the maximum length sub-item does not have 4 bytes")
    length = int.from_bytes(content, "big")
    if UNLIMITED < length < SMALLEST_MAXIMUM_LENGTH:
        raise invalid("the maximum length leaves no room for a message")
    return length


def _text(content: bytes) -> str:
    return content.decode("ascii", "replace").strip("\0 ")


def _window(content: bytes) -> AsynchronousOperationsWindow:
    return AsynchronousOperationsWindow(*struct.unpack(">HH", content))


def _role(content: bytes) -> RoleSelection:
    uid, rest = _take(content)
    if len(rest) != 2 or max(rest) > 1:
        raise invalid("a role selection does not say two times 0 or 1")
    return RoleSelection(uid_of(uid), bool(rest[0]), bool(rest[1]))


def _extended(content: bytes) -> ExtendedNegotiation:
    uid, rest = _take(content)
    return ExtendedNegotiation(uid_of(uid), rest)


def _common(content: bytes) -> CommonExtendedNegotiation:
    sop_class, rest = _take(content)
    service_class, rest = _take(rest)
    listed, _reserved = _take(rest)
    related: list[str] = []
    while listed:
        uid, listed = _take(listed)
        related.append(uid_of(uid))
    return CommonExtendedNegotiation(uid_of(sop_class), uid_of(service_class), tuple(related))


def _identity(content: bytes) -> UserIdentity:
    identity_type, response_requested = content[0], content[1]
    primary, rest = _take(content[2:])
    secondary, _rest = _take(rest)
    return UserIdentity(identity_type, response_requested != 0, primary, secondary)


def _identity_response(content: bytes) -> bytes:
    return _take(content)[0]


_READERS: dict[int, tuple[str, Callable[[bytes], Any]]] = {
    ItemType.MAXIMUM_LENGTH: ("maximum_length", _maximum_length),
    ItemType.IMPLEMENTATION_CLASS_UID: ("implementation_class_uid", _text),
    ItemType.ASYNCHRONOUS_OPERATIONS_WINDOW: ("window", _window),
    ItemType.ROLE_SELECTION: ("roles", _role),
    ItemType.IMPLEMENTATION_VERSION_NAME: ("implementation_version_name", _text),
    ItemType.EXTENDED_NEGOTIATION: ("extended", _extended),
    ItemType.COMMON_EXTENDED_NEGOTIATION: ("common_extended", _common),
    ItemType.USER_IDENTITY_RQ: ("identity", _identity),
    ItemType.USER_IDENTITY_AC: ("identity_response", _identity_response),
}


def _encode_common(value: CommonExtendedNegotiation) -> bytes:
    related = b"".join(_counted(uid) for uid in value.related_general_sop_classes)
    content = _counted(value.sop_class_uid) + _counted(value.service_class_uid) + _counted(related)
    return item(ItemType.COMMON_EXTENDED_NEGOTIATION, content)


def _encode_identity(value: UserIdentity) -> bytes:
    head = bytes((value.identity_type, value.response_requested))
    return item(ItemType.USER_IDENTITY_RQ, head + _counted(value.primary) + _counted(value.secondary))


def _counted(value: str | bytes) -> bytes:
    content = value.encode("ascii") if isinstance(value, str) else value
    return struct.pack(">H", len(content)) + content


def _take(content: bytes) -> tuple[bytes, bytes]:
    """(what a 2-byte length in front says, the rest)."""
    (length,) = struct.unpack_from(">H", content)
    if length > len(content) - 2:
        raise invalid("a field is longer than its sub-item")
    return content[2 : 2 + length], content[2 + length :]
