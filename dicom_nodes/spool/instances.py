"""Instances between what callers see and their compact rows: what is common to many is written once, as their kind."""

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, tuple_

from dicom_nodes.foundation.inserts import insert_missing
from dicom_nodes.model.instance import SpooledInstance, StoredObject
from dicom_nodes.spool.column_types import unpacked_uid
from dicom_nodes.spool.location import Place, SegmentLife, place_of
from dicom_nodes.spool.tables import instance, instance_kind, series

_KIND_ATTRIBUTES = {
    "ImageType", "ContentDate", "AcquisitionDate", "Rows", "Columns", "BitsAllocated", "NumberOfFrames",
    "CompletionFlag", "VerificationFlag",
}  # fmt: skip
"""Attributes that whole series share, so that there are few kinds."""

_joined = instance.join(series, series.c.series_key == instance.c.series_key).join(
    instance_kind, instance_kind.c.kind_key == instance.c.kind_key
)
stored_instance = (
    select(
        *(column for column in instance.c if column.key not in {"series_key", "kind_key"}),
        series.c.study_instance_uid,
        series.c.series_instance_uid,
        *(column for column in instance_kind.c if column.key not in {"kind_key", "fingerprint"}),
    )
    .select_from(_joined)
    .subquery("stored_instance")
)
"""Instances with the UIDs above them and their kind's columns, to select from; databases merge it into the query."""


OBJECT_COLUMNS = tuple(
    stored_instance.c[name]
    for name in (
        "sop_instance_uid", "sop_class_uid", "study_instance_uid", "series_instance_uid", "transfer_syntax_uid",
        "digest", "size_bytes", "origin", "segment", "epoch", "offset",
    )
)  # fmt: skip
"""What `stored_objects` takes; selecting nothing else makes a long list several times faster."""
STORED_OBJECT_BY_PACKED_UID = select(*OBJECT_COLUMNS).where(stored_instance.c.sop_instance_uid == bindparam("key"))
"""For point look-ups, which go past the column types: the key is `column_types.packed_uid`."""


def stored_objects(rows: Iterable[Row[Any]]) -> list[StoredObject]:
    """Rows of `OBJECT_COLUMNS` as senders need them."""
    return [
        StoredObject(uid, sop_class, study, of_study, syntax, digest, size_bytes, origin, _location(number, epoch, at))
        for uid, sop_class, study, of_study, syntax, digest, size_bytes, origin, number, epoch, at in rows
    ]


def location_in(row: Row[Any]) -> str | None:
    """The location that a row's columns say; None where the spool has let it go."""
    return _location(row.segment, row.epoch, row.offset)


def _location(segment: int | None, epoch: int | None, offset: int | None) -> str | None:
    if segment is None or epoch is None or offset is None:
        return None
    return Place(SegmentLife(segment, epoch), offset).location


def stored_object_of(values: tuple[Any, ...] | None) -> StoredObject | None:
    """The same from what `STORED_OBJECT_BY_PACKED_UID` selects, as a driver gives it."""
    if values is None:
        return None
    uid, sop_class, study, of_study, syntax, digest, size_bytes, origin, segment, epoch, offset = values
    return StoredObject(
        sop_instance_uid=unpacked_uid(bytes(uid)),
        sop_class_uid=sop_class,
        study_instance_uid=study,
        series_instance_uid=of_study,
        transfer_syntax_uid=syntax,
        digest=bytes(digest).hex(),
        size_bytes=size_bytes,
        origin=origin,
        location=_location(segment, epoch, offset),
    )


def place_columns(location: str) -> dict[str, int]:
    """A location as the columns `segment`, `epoch` and `offset`."""
    (number, epoch), offset = place_of(location)
    return {"segment": number, "epoch": epoch, "offset": offset}


def write_instances(connection: Connection, spooled: Iterable[SpooledInstance]) -> None:
    """Insert the rows of new instances; their series have rows already."""
    batch = list(spooled)
    if not batch:
        return
    of_items = [_kind(item) for item in batch]
    kinds = _kind_keys(connection, of_items)
    above = _series_keys(connection, batch)
    rows = [
        {
            "sop_instance_uid": item.header.sop_instance_uid,
            "series_key": above[item.header.study_instance_uid, item.header.series_instance_uid],
            "kind_key": kinds[kind["fingerprint"]],
            "instance_number": short(item.header.attributes.get("InstanceNumber"), 16),
            "acquisition_number": short(item.header.attributes.get("AcquisitionNumber"), 16),
            "content_time": short(item.header.attributes.get("ContentTime"), 16),
            "digest": item.digest,
            "size_bytes": item.size_bytes,
            "received_at": item.provenance.received_at,
            **place_columns(item.location),
        }
        for item, kind in zip(batch, of_items, strict=True)
    ]
    connection.execute(insert(instance), rows)


def short(text: str | None, longest: int) -> str | None:
    """A key as a column takes it; an overlong value is not a value of that kind and matches nothing."""
    return text if text is None or len(text) <= longest else None


def _kind(spooled: SpooledInstance) -> dict[str, Any]:
    header, provenance = spooled.header, spooled.provenance
    kind = {
        "sop_class_uid": header.sop_class_uid,
        "transfer_syntax_uid": header.transfer_syntax_uid,
        "origin": provenance.origin,
        "channel": provenance.channel.value,
        "sending_ae_title": provenance.sending_ae_title,
        "attributes": {keyword: text for keyword, text in header.attributes.items() if keyword in _KIND_ATTRIBUTES},
    }
    content = json.dumps(kind, sort_keys=True).encode()
    return {**kind, "fingerprint": blake2b(content, digest_size=16).hexdigest()}


def _kind_keys(connection: Connection, kinds: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The key of each kind by its fingerprint; new kinds are added, whichever process is first."""
    by_fingerprint = {str(kind["fingerprint"]): kind for kind in kinds}
    fingerprint = instance_kind.c.fingerprint
    statement = select(fingerprint, instance_kind.c.kind_key).where(fingerprint.in_(list(by_fingerprint)))
    known = dict(connection.execute(statement).tuples().all())
    missing = [kind for found, kind in by_fingerprint.items() if found not in known]
    if not missing:
        return known
    insert_missing(connection, instance_kind, missing)
    return dict(connection.execute(statement).tuples().all())


def _series_keys(connection: Connection, batch: Sequence[SpooledInstance]) -> dict[tuple[str, str], int]:
    """(Study, Series Instance UID) → key."""
    uids = {(item.header.study_instance_uid, item.header.series_instance_uid) for item in batch}
    columns = series.c.study_instance_uid, series.c.series_instance_uid
    statement = select(*columns, series.c.series_key).where(tuple_(*columns).in_(list(uids)))
    return {(study, of_study): key for study, of_study, key in connection.execute(statement).tuples()}
