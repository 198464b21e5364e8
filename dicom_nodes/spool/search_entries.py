"""Entries under which a study is found by its patient's name and by its modalities, which one index cannot hold.

A name has several component groups and a study several modalities; each gets an entry. Entries may be out of date
(a modality that went, a date that came later): whoever walks them takes a study only under the first entry of its
present values that matches, see `entries_of`. So entries are only ever added while a study is here.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from dicom_nodes.foundation.inserts import insert_missing
from dicom_nodes.spool.tables import study, study_modality, study_name

LONGEST_NAME_ENTRY = 120
"""Characters; PostgreSQL takes no index entry of more than 2,700 bytes."""


def name_entries(folded: str | None) -> list[str]:
    """A folded name and each of its values and component groups; without repeats, the whole first.

    A name should have one value; that of an image which has two is found by either.
    """
    if not folded:
        return []
    names = dict.fromkeys((folded, *folded.split("\\")))
    parts = [part for name in names for part in (name, *name.split("="))]
    return list(dict.fromkeys(part[:LONGEST_NAME_ENTRY] for part in parts if part))


def modality_entries(modalities: str | None) -> list[str]:
    return [part for part in (modalities or "").split("\\") if part]


def index_studies(connection: Connection, study_instance_uids: Collection[str]) -> None:
    """Add the entries that these studies lack; to be called in the transaction that changed them."""
    names, modalities = _entries(connection, study_instance_uids)
    insert_missing(connection, study_name, names)
    insert_missing(connection, study_modality, modalities)


def forget_studies(connection: Connection, study_instance_uids: Collection[str]) -> None:
    """Remove the entries of studies that are about to be deleted."""
    names, modalities = _entries(connection, study_instance_uids)
    for row in names:
        connection.execute(delete(study_name).filter_by(**row))
    for row in modalities:
        dated = delete(study_modality).where(study_modality.c.study_date.in_(["", row["study_date"]]))
        connection.execute(dated.filter_by(modality=row["modality"], study_key=row["study_key"]))


def _entries(
    connection: Connection, study_instance_uids: Collection[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    columns = study.c.study_key, study.c.patient_name_folded, study.c.modalities, study.c.study_date
    statement = select(*columns).where(study.c.study_instance_uid.in_(list(study_instance_uids)))
    rows = connection.execute(statement).all()
    return [entry for row in rows for entry in _names(row)], [entry for row in rows for entry in _modalities(row)]


def _names(row: Row[Any]) -> list[dict[str, Any]]:
    return [{"folded": folded, "study_key": row.study_key} for folded in name_entries(row.patient_name_folded)]


def _modalities(row: Row[Any]) -> list[dict[str, Any]]:
    return [
        {"modality": modality, "study_date": row.study_date or "", "study_key": row.study_key}
        for modality in modality_entries(row.modalities)
    ]
