"""Fills an empty catalogue with synthetic studies in bulk, for measuring queries; there are no images behind it.

Studies, series and their counts are complete. Rows of instances are made only for a share of the studies: fifty
million take longer than anybody waits for a measurement, and no query at study or series level reads them.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, insert, text

from dicom_nodes.foundation.database import Database
from dicom_nodes.rules.person_name import fold
from dicom_nodes.spool import tables
from dicom_nodes.spool.column_types import packed_uid, utc_microseconds
from dicom_nodes.spool.search_entries import name_entries
from readacross.bench.synthetic_studies import SyntheticStudy, synthetic_study

_STUDIES_AT_A_TIME = 5_000
_RECEIVED = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
_SOP_CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "US": "1.2.840.10008.5.1.4.1.1.6.1",
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "NM": "1.2.840.10008.5.1.4.1.1.20",
    "XA": "1.2.840.10008.5.1.4.1.1.12.1",
    "MG": "1.2.840.10008.5.1.4.1.1.1.2",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
    "SR": "1.2.840.10008.5.1.4.1.1.88.11",
}
_KIND_KEYS = {modality: key for key, modality in enumerate(_SOP_CLASSES, start=1)}
_IMAGE = {"ImageType": "ORIGINAL\\PRIMARY\\AXIAL", "Rows": "512", "Columns": "512", "BitsAllocated": "16"}
_FILLED = (tables.study, tables.study_name, tables.study_modality, tables.series, tables.instance)

Rows = dict[str, list[dict[str, Any]]]
"""Rows by table name, columns by name."""


def fill_catalogue(
    database: Database,
    studies: int,
    *,
    every_nth_with_instances: int = 0,
    progress: Callable[[int], None] = lambda _made: None,
) -> None:
    """Fill the tables, which must exist and be empty, with the studies 0 to `studies` - 1 of `synthetic_study`.

    Every n-th study gets the rows of its instances; 0: none does. Study keys are numbers + 1. `progress` is told how
    many studies are there. Indexes are made at the end.
    """
    with database.write() as connection:
        for table in _FILLED:
            for index in table.indexes:
                index.drop(connection)
        connection.execute(insert(tables.instance_kind), [_kind(modality) for modality in _SOP_CLASSES])
    made, last_series_key = 0, 0
    numbers = iter(range(studies))
    while chunk := [synthetic_study(number, studies) for number in islice(numbers, _STUDIES_AT_A_TIME)]:
        rows, last_series_key = _rows(chunk, last_series_key, every_nth_with_instances)
        with database.write() as connection:
            for table in _FILLED:
                _write(connection, table, rows[table.name])
        made += len(chunk)
        progress(made)
    with database.write() as connection:
        for table in _FILLED:
            for index in table.indexes:
                index.create(connection)
        _finish(connection)


def _finish(connection: Connection) -> None:
    """Statistics for the planner, and sequences that go on behind the keys we chose."""
    connection.execute(text("ANALYZE"))
    if connection.dialect.name == "postgresql":
        for table, key in (("study", "study_key"), ("series", "series_key"), ("instance_kind", "kind_key")):
            connection.execute(
                text(f"SELECT setval(pg_get_serial_sequence('{table}', '{key}'), max({key})) FROM {table}")
            )


def _write(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """COPY on PostgreSQL, one prepared INSERT on SQLite."""
    if not rows:
        return
    names = [connection.dialect.identifier_preparer.quote(name) for name in rows[0]]
    cursor: Any = connection.connection.cursor()
    if connection.dialect.name == "postgresql":
        with cursor.copy(f"COPY {table.name} ({', '.join(names)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(tuple(row.values()))
    else:
        places = ", ".join("?" * len(names))
        statement = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({places})"
        cursor.executemany(statement, (tuple(map(_for_sqlite, row.values())) for row in rows))
    cursor.close()


def _for_sqlite(value: Any) -> Any:
    return value.strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime) else value


def _rows(studies: Iterable[SyntheticStudy], last_series_key: int, every_nth: int) -> tuple[Rows, int]:
    rows: Rows = {table.name: [] for table in _FILLED}
    for made in studies:
        folded = fold(made.patient_name)
        key = made.number + 1
        rows["study"].append(_study_row(made, folded))
        rows["study_name"] += [{"folded": entry, "study_key": key} for entry in name_entries(folded)]
        rows["study_modality"] += [
            {"modality": modality, "study_date": made.study_date, "study_key": key} for modality in made.modalities
        ]
        for index, (modality, count) in enumerate(made.series):
            last_series_key += 1
            rows["series"].append(_series_row(made, index, modality, count, last_series_key))
            if every_nth and made.number % every_nth == 0:
                uid = made.series_instance_uid(index)
                rows["instance"] += _instance_rows(uid, modality, count, last_series_key)
    return rows, last_series_key


def _study_row(made: SyntheticStudy, folded: str) -> dict[str, Any]:
    return {
        "study_key": made.number + 1,
        "study_instance_uid": made.study_instance_uid,
        "origin": made.issuer,
        "patient_id": made.patient_id,
        "patient_id_issuer": made.issuer,
        "nhs_number": made.nhs_number,
        "patient_name": made.patient_name,
        "patient_name_folded": folded,
        "patient_birth_date": f"{made.birth_date:%Y%m%d}",
        "patient_sex": made.sex,
        "birth_date": made.birth_date.isoformat(),
        "accession_number": made.accession_number,
        "accession_issuer": "RXN",
        "study_date": made.study_date,
        "study_time": made.study_time,
        "study_id": str(made.number),
        "study_description": made.description,
        "modalities": "\\" + "\\".join(made.modalities) + "\\",
        "series_count": len(made.series),
        "instance_count": made.instance_count,
        "attributes": json.dumps({"SpecificCharacterSet": "ISO_IR 192", "InstitutionName": "Exampleshire"}),
        "sending_ae_title": f"{made.series[0][0]}1",
        "last_arrival": _RECEIVED,
        "growing": False,
        "settled_revision": 1,
        "archived_revision": 1,
    }


def _series_row(made: SyntheticStudy, index: int, modality: str, count: int, key: int) -> dict[str, Any]:
    return {
        "series_key": key,
        "study_instance_uid": made.study_instance_uid,
        "series_instance_uid": made.series_instance_uid(index),
        "modality": modality,
        "series_number": str(index + 1),
        "series_description": made.description,
        "series_date": made.study_date,
        "series_time": made.study_time,
        "instance_count": count,
        "attributes": json.dumps({"Manufacturer": "Invented", "StationName": f"{modality}1"}),
    }


def _instance_rows(series_instance_uid: str, modality: str, count: int, series_key: int) -> Iterator[dict[str, Any]]:
    received = utc_microseconds(_RECEIVED)
    for number in range(1, count + 1):
        uid = f"{series_instance_uid}.{number}"
        yield {
            "series_key": series_key,
            "size_bytes": 526_336 + number,
            "received_at": received,
            "archived_at": received,
            "kind_key": _KIND_KEYS[modality],
            "sop_instance_uid": packed_uid(uid),
            "digest": hashlib.blake2b(uid.encode(), digest_size=32).digest(),
            "instance_number": str(number),
            "acquisition_number": "1",
            "content_time": f"1012{number % 60:02}.120000",
            "segment": series_key // 1_000,
            "epoch": 1,
            "offset": (series_key % 1_000 << 40) + (number << 20),
        }


def _kind(modality: str) -> dict[str, Any]:
    return {
        "kind_key": _KIND_KEYS[modality],
        "fingerprint": f"{_KIND_KEYS[modality]:032x}",
        "sop_class_uid": _SOP_CLASSES[modality],
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "origin": "RXN",
        "channel": "ACQUIRED",
        "sending_ae_title": f"{modality}1",
        "attributes": _IMAGE,
    }
