"""Whom a node works with, as its trust's file says: its archive, the ways reports go home, and peers' addresses."""

from dicom_nodes.archive.dimse import DimseArchive
from dicom_nodes.archive.embedded import EmbeddedArchive
from dicom_nodes.archive.orthanc import OrthancArchive
from dicom_nodes.config import DimseArchive as DimseArchiveSettings
from dicom_nodes.config import EmbeddedArchive as EmbeddedArchiveSettings
from dicom_nodes.config import NodeSettings, read_password
from dicom_nodes.documents.encapsulated_pdf import ReportPages
from dicom_nodes.documents.structured_report import StructuredReports
from dicom_nodes.fhir.endpoint import FhirReportSender
from dicom_nodes.flows.ports import Archive, ReportSender, StoreScu
from dicom_nodes.flows.report_channels import ArchiveChannel, RisChannel
from dicom_nodes.foundation.settings_file import split_host_port
from dicom_nodes.hl7.sender import MllpRisSender
from dicom_nodes.model.delivery import ApplicationEntity


def archive_of(settings: NodeSettings, scu: StoreScu) -> Archive:
    """The archive of the kind that the trust's file names."""
    match settings.archive:
        case DimseArchiveSettings() as pacs:
            where = split_host_port(pacs.address)
            return DimseArchive(scu, ApplicationEntity(pacs.ae_title, *where, pacs.parallel_associations))
        case EmbeddedArchiveSettings() as folder:
            return EmbeddedArchive(folder.directory)
        case orthanc:
            return OrthancArchive(orthanc.url, orthanc.username, read_password(orthanc))


def ris_sender_of(settings: NodeSettings) -> MllpRisSender | None:
    """The RIS that reports go to, if the trust's file names one."""
    return MllpRisSender(settings.ris, settings.trust, settings.reports.oru) if settings.ris else None


def return_channels(
    settings: NodeSettings, ris: MllpRisSender | None, archive: Archive, documents: StructuredReports
) -> dict[str, ReportSender]:
    """How reports go home, by the names that the router knows; only what the trust's file lists."""
    trust, reports = settings.trust, settings.reports
    senders: dict[str, ReportSender] = {
        "ris": RisChannel(ris),
        "archive": ArchiveChannel(archive, lambda report: (documents.write(report), ())),
        "pdf": ArchiveChannel(archive, ReportPages(trust.name).write),
    }
    if reports.fhir is not None:
        senders["fhir"] = FhirReportSender(reports.fhir, trust)
    return {channel: senders[channel] for channel in reports.return_channels}


def address_of(settings: NodeSettings, ae_title: str) -> ApplicationEntity | None:
    """Where a peer of the trust's file listens, if it says so."""
    peer = settings.peer(ae_title)
    if peer is None or peer.address is None:
        return None
    return ApplicationEntity(peer.ae_title, *split_host_port(peer.address))


def workstation_of(settings: NodeSettings, ae_title: str) -> ApplicationEntity | None:
    """Where a workstation of the trust's file takes images; nothing for any other peer."""
    peer = settings.peer(ae_title)
    if peer is None or peer.role != "workstation" or peer.address is None:
        return None
    return ApplicationEntity(peer.ae_title, *split_host_port(peer.address), peer.parallel_associations)
