"""Bringing a read's images to its reader: fetch to the reader's node, then deliver to the workstation."""

from dataclasses import replace
from datetime import datetime

from dicom_nodes.contract import DeliverStudy, FetchStudy, NodeAddress, OrderBody, PatientIdentity, StudyIdentity
from router.flows.ports import Transaction
from router.model.errors import NotFound
from router.model.read import Read
from router.model.reader import Reader, Workstation
from router.model.record import Entry
from router.model.study import PatientKey, Study


def identity_of(study: Study) -> StudyIdentity:
    """The study's identity as orders carry it, from the immutable record."""
    return StudyIdentity(
        study_instance_uid=study.study_instance_uid,
        origin=study.origin,
        accession_number=study.accession_number,
        accession_issuer=study.accession_issuer,
        patient=patient_identity(study.patient),
    )


def patient_identity(patient: PatientKey) -> PatientIdentity:
    """A patient as the contract says it."""
    return PatientIdentity(
        issuer=patient.issuer,
        patient_id=patient.patient_id,
        nhs_number=patient.nhs_number,
        birth_date=patient.birth_date,
    )


def send_images(tx: Transaction, read: Read, reader: Reader, now: datetime) -> None:
    """Order the read's present revision to the reader's workstation, by way of the reader's node."""
    node = place_of(tx, read, reader).node
    if node == read.origin:
        deliver_images(tx, read, reader, now)
        return
    source = tx.network.node(read.origin)
    if source is None:
        raise NotFound(f"the origin {read.origin} has no node to fetch from")
    body = FetchStudy(
        read_id=read.id,
        study=identity_of(_study(tx, read)),
        revision=read.revision,
        manifest=tx.studies.manifest(read.study_instance_uid, read.revision),
        source=NodeAddress(ods_code=source.ods_code, ae_title=source.ae_title, host=source.host, port=source.port),
    )
    _issue(tx, read, node, body, now)


def place_of(tx: Transaction, read: Read, reader: Reader) -> Workstation:
    """Where the reader sits: the place of the session that the read was given to, or else the reader's own."""
    session = None if read.lease is None else tx.readers.session(read.lease.session_id)
    return reader.workstation if session is None or session.place is None else session.place


def seated(tx: Transaction, read: Read | None, reader: Reader | None) -> Reader | None:
    """The reader at the workstation where the session of this read puts it."""
    if read is None or reader is None or read.lease is None or read.lease.reader_id != reader.id:
        return reader
    return replace(reader, workstation=place_of(tx, read, reader))


def deliver_images(tx: Transaction, read: Read, reader: Reader, now: datetime) -> None:
    """Order the images, which lie at the reader's node, to the workstation."""
    place = place_of(tx, read, reader)
    body = DeliverStudy(
        read_id=read.id,
        study=identity_of(_study(tx, read)),
        revision=read.revision,
        manifest=tx.studies.manifest(read.study_instance_uid, read.revision),
        workstation_ae_title=place.ae_title,
    )
    _issue(tx, read, place.node, body, now)


def _issue(tx: Transaction, read: Read, node: str, body: OrderBody, now: datetime) -> None:
    order = tx.orders.issue(node, body, now, read_id=read.id, epoch=read.epoch)
    tx.ledger.append(
        Entry(
            event=f"order.{body.kind}",
            at=now,
            actor="router",
            study_instance_uid=read.study_instance_uid,
            read_id=read.id,
            order_id=order.order_id,
            node=node,
            detail={"revision": read.revision},
        )
    )


def _study(tx: Transaction, read: Read) -> Study:
    study = tx.studies.get(read.study_instance_uid)
    if study is None:
        raise NotFound("the read's study is gone")
    return study
