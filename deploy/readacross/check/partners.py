"""Who is to be asked what: every partner that the checked files name, once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from dicom_nodes.config import DimseArchive, OrthancArchive
from dicom_nodes.foundation.settings_file import split_host_port
from dicom_nodes.model.delivery import ApplicationEntity
from readacross.check import alert_probe, dicom_probe, other_probes
from readacross.check.loading import Files, TrustFile
from readacross.check.outcome import Answer, Outcome
from readacross.check.tls_files import opener
from router.config import RouterSettings


@dataclass(frozen=True, slots=True)
class Probe:
    """A question that has not been asked yet."""

    file: str
    partner: str
    ask: Callable[[], Answer]

    def outcome(self) -> Outcome:
        """Ask."""
        answer = self.ask()
        return Outcome(self.file, self.partner, answer.question, answer.ok, answer.words)


def probes(files: Files) -> Iterator[Probe]:
    """All questions, file by file."""
    for trust in files.trusts:
        yield from _of_trust(trust)
        for router in files.routers:
            yield from _other_nodes(trust, router)
    for router in files.routers:
        yield from alert_probes(router)


def alert_probes(router: RouterSettings) -> Iterator[Probe]:
    """The channels of alerts.toml; an alert by the RIS goes by its node, which is asked for itself."""
    file = router.router.alerts
    for name, channel in router.alerts.channels.items():
        if file is not None and channel.kind != "ris":
            alone = router.alerts.model_copy(update={"channels": {name: channel}})
            yield Probe(file.name, f"alert channel {name}", partial(alert_probe.reach, alone, file))


def _of_trust(trust: TrustFile) -> Iterator[Probe]:
    settings, name = trust.settings, trust.path.name
    calling, call = settings.node.ae_title, opener(settings, dicom_probe.TIMEOUTS)
    if settings.router.token_file.is_file():
        yield Probe(name, f"router {settings.router.url}", partial(other_probes.router, settings))
    archive = settings.archive
    if isinstance(archive, OrthancArchive):
        yield Probe(name, "archive (Orthanc)", partial(other_probes.orthanc, archive))
    if isinstance(archive, DimseArchive):
        entity = _entity(archive.ae_title, archive.address)
        label = f"archive {archive.ae_title}"
        pages = dicom_probe.PAGES if "archive_pdf" in settings.reports.channels else {}
        wanted = dicom_probe.IMAGES | dicom_probe.REPORTS | pages
        yield Probe(name, label, partial(dicom_probe.echo, calling, entity, call))
        yield Probe(name, label, partial(dicom_probe.takes, calling, entity, wanted, call))
        yield Probe(name, label, partial(dicom_probe.find, calling, entity, call))
    if settings.ris is not None:
        yield Probe(
            name, f"RIS {settings.ris.address}", partial(other_probes.ris, settings.ris, settings.trust.ods_code)
        )
    if settings.reports.fhir is not None:
        endpoint = settings.reports.fhir
        yield Probe(name, f"FHIR endpoint {endpoint.url}", partial(other_probes.fhir, endpoint))
    for peer in settings.peers:
        if peer.address is None or peer.role == "node":
            continue
        entity = _entity(peer.ae_title, peer.address)
        label = f"{peer.role} {peer.ae_title}"
        yield Probe(name, label, partial(dicom_probe.echo, calling, entity, call))
        if peer.role == "workstation":
            yield Probe(name, label, partial(dicom_probe.takes, calling, entity, dicom_probe.IMAGES, call))
        if peer.role == "archive":
            yield Probe(name, label, partial(dicom_probe.find, calling, entity, call))


def _other_nodes(trust: TrustFile, router: RouterSettings) -> Iterator[Probe]:
    """The nodes that this one will fetch from: those its readers read for."""
    here, call = trust.settings.trust.ods_code, opener(trust.settings, dicom_probe.TIMEOUTS)
    wanted = {
        credential.trust
        for reader in router.readers.readers
        if reader.workstation.node == here
        for credential in reader.credentials
    }
    for node in router.network.nodes:
        if node.ods_code in wanted and node.ods_code != here:
            entity = ApplicationEntity(node.ae_title, node.host, node.port)
            ask = partial(dicom_probe.gives_images, trust.settings.node.ae_title, entity, call)
            yield Probe(trust.path.name, f"node {node.ods_code} ({node.ae_title})", ask)


def _entity(ae_title: str, address: str) -> ApplicationEntity:
    return ApplicationEntity(ae_title, *split_host_port(address))
