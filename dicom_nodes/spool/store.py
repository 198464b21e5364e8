"""Open a node's database with everything that lives in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, insert, select, text

from dicom_nodes.flows.ports import Checkpoint, no_checkpoint
from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.database import Database, open_database
from dicom_nodes.foundation.jobs import JobQueue
from dicom_nodes.model.errors import CrashConsistency
from dicom_nodes.spool import tables
from dicom_nodes.spool.announcements import SqlAnnouncements
from dicom_nodes.spool.catalogue import ARCHIVE_JOB, SqlCatalogue
from dicom_nodes.spool.commitments import SqlArchiveCommitments, SqlCommitmentRequests
from dicom_nodes.spool.eviction import SqlEviction
from dicom_nodes.spool.orders import SqlOrders
from dicom_nodes.spool.outbox import SqlOutbox
from dicom_nodes.spool.patient_changes import SqlPatientChanges
from dicom_nodes.spool.procedure_steps import SqlProcedureSteps
from dicom_nodes.spool.refused_messages import SqlRefusedMessages
from dicom_nodes.spool.scheduled_steps import SqlWorklist
from dicom_nodes.spool.scrubbing import SqlScrubbing
from dicom_nodes.spool.studies import FollowUps, SqlStudies


@dataclass(frozen=True, slots=True)
class NodeStore:
    """The parts of a node's database."""

    database: Database
    jobs: JobQueue
    outbox: SqlOutbox
    catalogue: SqlCatalogue
    studies: SqlStudies
    orders: SqlOrders
    commitment_requests: SqlCommitmentRequests
    archive_commitments: SqlArchiveCommitments
    announcements: SqlAnnouncements
    procedure_steps: SqlProcedureSteps
    worklist: SqlWorklist
    patient_changes: SqlPatientChanges
    refused_messages: SqlRefusedMessages
    eviction: SqlEviction
    scrubbing: SqlScrubbing


def open_store(
    url: str,
    clock: Clock,
    archive: str,
    checkpoint: Checkpoint = no_checkpoint,
    follow_ups: FollowUps = FollowUps(),
    worklist_keep: timedelta = timedelta(days=30),
    return_channels: Sequence[str] = ("ris", "archive"),
) -> NodeStore:
    """Open (and on first use create) the database at `url`; `archive` names the PACS in facts.

    `return_channels` are those by which a report goes home whose order names none.

    Raises:
        CrashConsistency: the database was made by another version of this software.
    """
    database = open_database(url)
    tables.metadata.create_all(database.engine)
    with database.write() as connection:
        version = connection.execute(select(tables.schema.c.version)).scalar_one_or_none()
        if version is None:
            connection.execute(insert(tables.schema).values(version=tables.SCHEMA_VERSION))
        elif version != tables.SCHEMA_VERSION:
            raise CrashConsistency(f"database schema is version {version}, this software needs {tables.SCHEMA_VERSION}")
        _widen_channel(connection)
    jobs = JobQueue(database, tables.job, clock)
    outbox = SqlOutbox(database, clock)
    return NodeStore(
        database=database,
        jobs=jobs,
        outbox=outbox,
        catalogue=SqlCatalogue(database, jobs, outbox, clock, checkpoint),
        studies=SqlStudies(database, jobs, outbox, clock, archive, follow_ups),
        orders=SqlOrders(database, jobs, outbox, clock, return_channels),
        commitment_requests=SqlCommitmentRequests(database, jobs, clock),
        archive_commitments=SqlArchiveCommitments(database, jobs, clock, ARCHIVE_JOB),
        announcements=SqlAnnouncements(database, jobs, outbox, clock),
        procedure_steps=SqlProcedureSteps(database, jobs, outbox, clock),
        worklist=SqlWorklist(database, clock, outbox, worklist_keep),
        patient_changes=SqlPatientChanges(database, outbox),
        refused_messages=SqlRefusedMessages(database, outbox, clock),
        eviction=SqlEviction(database, clock),
        scrubbing=SqlScrubbing(database, clock),
    )


def _widen_channel(connection: Connection) -> None:
    """A PostgreSQL database of before has room for ten letters; SQLite does not count them."""
    if connection.dialect.name != "postgresql":
        return
    asked = (
        "SELECT character_maximum_length FROM information_schema.columns "
        "WHERE table_name = 'received_report' AND column_name = 'channel' AND table_schema = current_schema()"
    )
    if (connection.execute(text(asked)).scalar_one() or 0) < 20:
        connection.execute(text("ALTER TABLE received_report ALTER COLUMN channel TYPE VARCHAR(20)"))
