"""A node reduced to its DICOM wire: the real listener and catalogue tables around a spool held in memory."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from sqlalchemy import insert, select, update

from dicom_nodes.config import NodeSettings
from dicom_nodes.dimse.listener import DicomListener
from dicom_nodes.dimse.requester import AssociationRequester, Timeouts
from dicom_nodes.dimse.services import DimseServices
from dicom_nodes.dimse.store_scu import DicomStoreScu
from dicom_nodes.dimse.tls_settings import TlsCaller, tls_contexts
from dicom_nodes.encoding.digest import digest_of
from dicom_nodes.encoding.header import read_header
from dicom_nodes.flows.ports import Transcode
from dicom_nodes.flows.query import QueryFlow
from dicom_nodes.flows.retrieve import RetrieveFlow
from dicom_nodes.foundation.buffers import Buffer
from dicom_nodes.foundation.database import Database, open_database
from dicom_nodes.model.delivery import ApplicationEntity
from dicom_nodes.model.instance import Channel, IncomingInstance, Provenance, SpooledInstance
from dicom_nodes.pixels.pool import TranscodingPool
from dicom_nodes.spool import tables
from dicom_nodes.spool.catalogue_rows import series_row, study_row
from dicom_nodes.spool.instances import write_instances
from dicom_nodes.spool.location import Place, SegmentLife
from dicom_nodes.spool.search_entries import index_studies
from dicom_nodes.spool.study_query import StudyQuery

QUICK = Timeouts(connect_s=5, associate_s=5, response_s=5)
EVERYTHING = ("echo", "store", "find", "move", "get")


def bundled(name: str) -> Path:
    """A file that comes with pydicom."""
    path = get_testdata_file(name, download=False)
    assert path is not None
    return Path(path)


def data_set_of(path: Path) -> tuple[Dataset, bytes]:
    """(file meta, the data set's bytes) of a Part 10 file."""
    with path.open("rb") as stream:
        meta = dcmread(stream, stop_before_pixels=True, specific_tags=[]).file_meta
    content = path.read_bytes()
    group_length = int.from_bytes(content[140:144], "little")
    return meta, content[144 + group_length :]


def digest(data: bytes) -> str:
    return digest_of(data)


@dataclass
class EventRecord:
    """Keeps events instead of printing them."""

    events: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def info(self, event: str, **fields: object) -> None:
        self.events.append((event, fields))

    warning = error = info

    def named(self, event: str) -> list[dict[str, object]]:
        return [fields for name, fields in self.events if name == event]


class WireNode:
    """A listening node; `received` is what came in by C-STORE, `keep` fills the catalogue."""

    def __init__(
        self,
        folder: Path,
        database_url: str,
        peers: Sequence[dict[str, Any]],
        *,
        tls: dict[str, Any] | None = None,
        **node: object,
    ) -> None:
        self.settings = NodeSettings.model_validate(
            {
                "trust": {"ods_code": "RXN", "name": "Exampleshire"},
                "node": {
                    "ae_title": "NODE",
                    "listen": "127.0.0.1:0",
                    "data_dir": folder / "data",
                    "stall_s": 1.0,
                    "artim_s": 2.0,
                    "sub_operation_s": 5.0,
                    **node,
                },
                "router": {"url": "http://127.0.0.1:1", "token_file": folder / "token"},
                "archive": {"kind": "embedded", "directory": folder / "archive"},
                "peers": list(peers),
                "tls": tls,
            }
        )
        self.database: Database = open_database(database_url)
        tables.metadata.create_all(self.database.engine)
        self.log = EventRecord()
        self.received: list[IncomingInstance] = []
        self.not_reloaded: list[str] = []
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.caught_up = True
        self.ingest: Callable[[IncomingInstance], None] = self._take
        self.transcoding = TranscodingPool(processes=1)
        self.transcode: Transcode = self.transcoding
        self._objects: dict[str, bytes] = {}
        self._lock = threading.Lock()
        query = StudyQuery(self.database)
        contexts = tls_contexts(self.settings, self.not_reloaded.append)
        caller = (
            None if contexts is None else TlsCaller(contexts, self.settings.certificate_of, self.settings.may_be_called)
        )
        self.services = DimseServices(
            settings=self.settings,
            ingest=lambda incoming: self.ingest(incoming),
            query=QueryFlow(query, lambda: self.caught_up),
            retrieve=RetrieveFlow(query, self, lambda: self.caught_up),
            move_scu=DicomStoreScu(
                "NODE", open_association=AssociationRequester("NODE", QUICK, caller), transcode=self._transcode
            ),
            transcode=self._transcode,
            clock=lambda: datetime.now(UTC),
            log=self.log,
            uid_hash=digest_of_text,
            association_opened=self.opened.append,
            association_closed=self.closed.append,
        )
        self.listener = DicomListener(self.settings, self.services, tls=contexts)

    def _take(self, incoming: IncomingInstance) -> None:
        """Remember it, its data set as plain bytes."""
        self.received.append(replace(incoming, data_set=bytes(incoming.data_set.content())))  # type: ignore[arg-type]

    @property
    def port(self) -> int:
        return self.listener.port

    @property
    def entity(self) -> ApplicationEntity:
        return ApplicationEntity("NODE", "127.0.0.1", self.port)

    def _transcode(self, data_set: Buffer, stored: str, wanted: str, receiver: str) -> Buffer:
        return self.transcode(data_set, stored, wanted, receiver)

    def read_data_set(self, location: str) -> bytes:
        return self._objects[location]

    def keep(self, data_set: bytes, transfer_syntax_uid: str, origin: str = "RXN", **header: object) -> None:
        """Put an instance into spool and catalogue; `header` overrides columns of its study."""
        read = read_header(data_set, transfer_syntax_uid)
        provenance = Provenance(origin, Channel.ACQUIRED, "CT1", datetime.now(UTC))
        place = Place(SegmentLife(1, 1), 4096 * len(self._objects))
        spooled = SpooledInstance(read, provenance, digest(data_set), len(data_set), place.location)
        self._objects[spooled.location] = data_set
        with self._lock, self.database.write() as connection:
            study, series = tables.study, tables.series
            known = select(study.c.modalities).where(study.c.study_instance_uid == read.study_instance_uid)
            before = connection.execute(known).scalar_one_or_none()
            if before is None:
                connection.execute(insert(study).values(**{**study_row(spooled), **header}))
            row = series_row(read)
            this_series = series.c.series_instance_uid == read.series_instance_uid
            if connection.execute(select(series).where(this_series)).first() is None:
                connection.execute(insert(series).values(instance_count=0, **row))
                connection.execute(
                    update(study)
                    .where(study.c.study_instance_uid == read.study_instance_uid)
                    .values(series_count=study.c.series_count + 1)
                )
            write_instances(connection, [spooled])
            connection.execute(update(series).where(this_series).values(instance_count=series.c.instance_count + 1))
            modalities = sorted({*(before or "").strip("\\").split("\\"), str(row["modality"])} - {""})
            connection.execute(
                update(study)
                .where(study.c.study_instance_uid == read.study_instance_uid)
                .values(instance_count=study.c.instance_count + 1, modalities="\\" + "\\".join(modalities) + "\\")
            )
            index_studies(connection, [read.study_instance_uid])

    def keep_file(self, path: Path) -> tuple[str, str]:
        """Keep a Part 10 file; return (SOP Instance UID, digest)."""
        meta, data_set = data_set_of(path)
        self.keep(data_set, str(meta.TransferSyntaxUID))
        return read_header(data_set, str(meta.TransferSyntaxUID)).sop_instance_uid, digest(data_set)


def digest_of_text(uid: str) -> str:
    return digest(uid.encode())[:12]


def peer(ae_title: str, role: str = "modality", may: Sequence[str] = EVERYTHING, **more: object) -> dict[str, Any]:
    return {"ae_title": ae_title, "role": role, "allowed_hosts": ["127.0.0.1"], "may": list(may), **more}


@contextmanager
def running_node(folder: Path, database_url: str, *peers: dict[str, Any], **node: object) -> Iterator[WireNode]:
    """Start a node's wire and stop it again."""
    wire = WireNode(folder, database_url, peers or [peer("DCMTK")], **node)
    wire.listener.start()
    try:
        yield wire
    finally:
        wire.listener.stop(drain_s=0.5)
        wire.transcoding.close()
        wire.database.dispose()
