"""A trust's settings file, read once at start into frozen settings: the only reader of it and of the environment."""

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from dicom_nodes.foundation.certificate import certificate_binding
from dicom_nodes.foundation.settings_file import (
    AeTitle,
    HostPort,
    LocalPath,
    OdsCode,
    Settings,
    SettingsError,
    load_settings,
)
from dicom_nodes.foundation.tls_context import TlsContexts, TlsFiles, TlsFilesError
from dicom_nodes.report_settings import Reports
from dicom_nodes.report_settings import tls_problems as fhir_tls_problems

Action = Literal["echo", "store", "find", "move", "get", "commit", "ian", "mpps", "worklist"]


def _host_range(text: str) -> str:
    try:
        ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"expected an IP address or a range such as 10.1.2.0/24, got {text!r}") from None
    return text


HostRange = Annotated[str, AfterValidator(_host_range)]


def _issuer(text: str) -> str:
    if not text.strip() or text != text.strip() or len(text) > 64:
        raise ValueError(
            "expected the name of the issuer, 1 to 64 characters without outer spaces: "
            "an identifier without issuer never joins anything"
        )
    return text


Issuer = Annotated[str, AfterValidator(_issuer)]
CertificateBinding = Annotated[str, AfterValidator(certificate_binding)]
"""Which certificate a partner has: `dns:`, `cn:`, `uri:` or `sha256:` and a value; it is spoken to by TLS only."""


class Trust(Settings):
    """Who this node stands for. Issuers qualify identifiers that arrive without one (DICOM (0010,0021))."""

    ods_code: OdsCode
    name: str = Field(min_length=1)
    patient_id_issuer: Issuer = ""
    accession_issuer: Issuer = ""

    @model_validator(mode="before")
    @classmethod
    def _issuers_default_to_the_ods_code(cls, values: Any) -> Any:
        if isinstance(values, dict) and "ods_code" in values:
            return {"patient_id_issuer": values["ods_code"], "accession_issuer": values["ods_code"], **values}
        return values


class Node(Settings):
    """The node itself: where it listens, where it keeps things, when it refuses more."""

    ae_title: AeTitle
    listen: HostPort
    data_dir: LocalPath
    database_url: str | None = None
    health_listen: HostPort | None = None
    disk_reserve_mib: int = Field(default=2048, ge=0)
    spool_segment_mib: int = Field(default=64, ge=4, le=256)
    """Size of the files that the spool uses again and again."""
    settle_quiet_s: float = Field(default=60.0, gt=0)
    settle_hold_s: float = Field(default=900.0, gt=0)
    """How long a study waits for instances that were announced (MPPS, IAN) before it settles without them."""
    worklist_days: float = Field(default=30.0, gt=0, le=36_500)
    """How long after its day an examination is listed that nobody began or cancelled; health counts those left out."""
    maximum_associations: int = Field(default=600, ge=1)
    maximum_waiting: int = Field(default=1024, ge=16, le=65_536)
    """How many connections may be open that have said nothing yet; the oldest makes room."""
    maximum_pdu_bytes: int = Field(default=262_144, ge=4096)
    artim_s: float = Field(default=10.0, gt=0)
    """How long a connection may take to ask for an association (DICOM PS3.8 9.1.5)."""
    idle_s: float = Field(default=300.0, gt=0)
    """An association that says nothing for this long between two messages is ended."""
    stall_s: float = Field(default=30.0, gt=0)
    """How long a peer may be silent in the middle of a message, need for one PDU, or take nothing of ours."""
    sub_operation_s: float = Field(default=60.0, gt=0)
    """How long a peer may take to answer an image of its own C-GET."""
    workers: int = Field(default=8, ge=2, le=64)
    receivers: int = Field(default=0, ge=0, le=64)
    """How many processes serve the DICOM ports; 0: this one does, as suits two processors or less."""


class Tls(Settings):
    """DICOM over TLS (PS3.15 B.12, B.13): where it is accepted, if anywhere, and with which PEM files."""

    listen: HostPort | None = None
    """Port 2762 by convention."""
    certificate: LocalPath
    key: LocalPath
    trusted: tuple[LocalPath, ...] = Field(min_length=1)

    @property
    def files(self) -> TlsFiles:
        return TlsFiles(self.certificate, self.key, self.trusted)


class Spool(Settings):
    """How long images stay in the node's own spool once the archive has them, and how they are looked after."""

    keep_days: float = Field(default=30.0, gt=0)
    """Studies stay this long, counted from their newest instance, if there is room."""
    keep_at_least_minutes: float = Field(default=60.0, ge=0)
    """Nothing younger is let go of, however short room is."""
    make_room_below_mib: int | None = Field(default=None, ge=0)
    """With less room than this on the disk, archived studies go before their time, the oldest first. By default twice
    the node's `disk_reserve_mib`, below which images are refused."""
    make_room_until_mib: int | None = Field(default=None, ge=0)
    """Until there is this much room; by default three times `disk_reserve_mib`."""
    grace_s: float = Field(default=300.0, ge=0)
    """How long a part of the spool stays readable, for retrieves under way, before it is used again."""
    scrub_mib_per_s: float = Field(default=4.0, ge=0)
    """How fast everything is read again and compared with what was kept, in the background; 0: not at all."""


class Router(Settings):
    """Where facts go and orders come from; the node dials out."""

    url: str = Field(pattern=r"^https?://")
    token_file: LocalPath


class DimseArchive(Settings):
    """A PACS reached by C-STORE."""

    kind: Literal["dimse"]
    ae_title: AeTitle
    address: HostPort
    parallel_associations: int = Field(default=1, ge=1, le=16)
    """How many associations we may hold to it at once for a study."""
    certificate: CertificateBinding | None = None
    commitment: bool = False
    """Whether it is asked for storage commitment; then it must be among the peers, because it calls back."""


class OrthancArchive(Settings):
    """An Orthanc reached by its REST API."""

    kind: Literal["orthanc"]
    url: str = Field(pattern=r"^https?://")
    username: str | None = None
    password_file: LocalPath | None = None


class EmbeddedArchive(Settings):
    """A folder of Part 10 files, for demonstrations and small sites."""

    kind: Literal["embedded"]
    directory: LocalPath


class Ris(Settings):
    """The trust's RIS, which takes reports as ORU^R01 by MLLP and answers with an application ACK."""

    address: HostPort
    sending_application: str = "READACROSS"
    receiving_application: str = "RIS"
    charset: Literal["UNICODE UTF-8", "8859/1", "8859/2", "8859/9", "8859/15", "ASCII"] = "UNICODE UTF-8"
    version: Literal["2.3", "2.3.1", "2.4", "2.5", "2.5.1"] = "2.5.1"
    processing_id: Literal["P", "T", "D"] = "P"
    timeout_s: float = Field(default=30.0, gt=0)
    reports_per_connection: int = Field(default=1, ge=1, le=50)
    """How many reports may share a connection, each sent when the last is answered, for at most two seconds."""


class Hl7Listener(Settings):
    """Where readers' systems send reports as ORU^R01."""

    listen: HostPort
    allowed_hosts: tuple[HostRange, ...]
    max_message_bytes: int = Field(default=1_048_576, ge=1024)
    idle_s: float = Field(default=300.0, gt=0)
    stations: dict[str, AeTitle] = Field(default={})
    """Modality → AE title that an order's step is scheduled for where the order does not say."""
    suspected_cancer_codes: tuple[str, ...] = ()
    """Codes of an order's priority or reason (TQ1-9, ORC-7.6, OBR-27.6, OBR-5, OBR-31) that mean suspected cancer."""
    pathway_codes: dict[str, Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]] = Field(default={})
    """Code of an order's priority or reason → pathway as the router's pathways.toml names it."""


class Delivery(Settings):
    """How work is retried before it is parked."""

    attempts: int = Field(default=12, ge=1)
    first_retry_s: float = Field(default=2.0, gt=0)
    longest_retry_s: float = Field(default=900.0, gt=0)


class Peer(Settings):
    """An application entity that may call us, or that we deliver to; what is not listed is refused."""

    ae_title: AeTitle
    role: Literal["modality", "archive", "workstation", "node"]
    allowed_hosts: tuple[HostRange, ...] = ()
    may: tuple[Action, ...] = ()
    address: HostPort | None = None
    notify: bool = False
    """Whether it is told of every settled study by Instance Availability Notification."""
    maximum_associations: int | None = Field(default=None, ge=1)
    """How many associations it may hold at once, within the node's own maximum."""
    parallel_associations: int = Field(default=1, ge=1, le=16)
    """How many associations we may hold to it at once when we send it a study."""
    certificate: CertificateBinding | None = None
    """Where set, it calls by TLS with this certificate or not at all, and is called so."""
    maximum_pdu_bytes: int | None = Field(default=None, ge=4096)
    """The longest PDU it is told to send; the node's own where none is given."""
    maximum_mib_per_s: float | None = Field(default=None, ge=0.1)
    """What all its associations together may send; they are read from no faster, and nothing is refused."""
    idle_s: float | None = Field(default=None, gt=0)
    """As the node's, for this peer."""

    def allows_host(self, host: str) -> bool:
        """Whether a call from this IP address is this peer's."""
        address = ip_address(host)
        if address.version == 6 and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in ip_network(entry, strict=False) for entry in self.allowed_hosts)


class NodeSettings(Settings):
    """One trust's node, as its file says."""

    trust: Trust
    node: Node
    tls: Tls | None = None
    router: Router
    archive: Annotated[DimseArchive | OrthancArchive | EmbeddedArchive, Field(discriminator="kind")]
    ris: Ris | None = None
    hl7: Hl7Listener | None = None
    reports: Reports = Reports()
    delivery: Delivery = Delivery()
    spool: Spool = Spool()
    peers: tuple[Peer, ...] = ()

    @model_validator(mode="after")
    def _peers_are_told_apart(self) -> "NodeSettings":
        seen: set[str] = set()
        for number, peer in enumerate(self.peers):
            if peer.ae_title in seen or peer.ae_title == self.node.ae_title:
                raise ValueError(f"peers[{number}].ae_title: {peer.ae_title!r} is used twice; each peer needs its own")
            seen.add(peer.ae_title)
            if peer.may and not peer.allowed_hosts:
                raise ValueError(
                    f"peers[{number}].allowed_hosts: is empty, but {peer.ae_title!r} may call; "
                    "list the addresses it calls from"
                )
            if peer.address is None and ("commit" in peer.may or peer.notify):
                why = (
                    "may ask for a commitment, which is reported on a call of ours"
                    if not peer.notify
                    else "is notified"
                )
                raise ValueError(f"peers[{number}].address: is missing, but {peer.ae_title!r} {why}")
        return self

    @model_validator(mode="after")
    def _receivers_can_share_the_database(self) -> "NodeSettings":
        if self.node.receivers and self.node.database_url in {"sqlite://", "sqlite:///:memory:"}:
            raise ValueError("node.receivers: several processes cannot share a database in memory; give it a file")
        return self

    @model_validator(mode="after")
    def _archive_is_somebody_else(self) -> "NodeSettings":
        archive = self.archive
        if isinstance(archive, DimseArchive) and archive.address == self.node.listen:
            raise ValueError("archive.address: is this node's own address; expected the PACS")
        if isinstance(archive, DimseArchive) and archive.commitment and not self._may_call(archive.ae_title):
            raise ValueError(
                f"archive.commitment: the archive reports on a call of its own; list {archive.ae_title!r} "
                "under [[peers]] with its allowed_hosts"
            )
        if isinstance(archive, EmbeddedArchive):
            folder, data = archive.directory.resolve(), self.node.data_dir.resolve()
            if folder == data or folder in data.parents or (data / "spool") in (folder, *folder.parents):
                raise ValueError(
                    f"archive.directory: {archive.directory} and the node's own data must not be the same "
                    "folder or lie in one another; expected a folder of its own"
                )
        return self

    @model_validator(mode="after")
    def _certificates_can_be_used(self) -> "NodeSettings":
        for number, peer in enumerate(self.peers):
            if peer.certificate is None:
                continue
            if self.tls is None:
                raise ValueError(f"peers[{number}].certificate: TLS needs a [tls] table with our own certificate")
            if peer.may and self.tls.listen is None:
                raise ValueError(f"tls.listen: is missing, but {peer.ae_title!r} may call, and by TLS only")
        archive = self.archive
        if isinstance(archive, DimseArchive) and archive.certificate is not None:
            if self.tls is None:
                raise ValueError("archive.certificate: TLS needs a [tls] table with our own certificate")
            as_peer = self.peer(archive.ae_title)
            if as_peer is not None and as_peer.certificate != archive.certificate:
                raise ValueError(f"archive.certificate: differs from that of the peer {as_peer.ae_title!r}")
        return self

    def certificate_of(self, ae_title: str) -> str | None:
        """The certificate a partner must have that we call; None where it is called without TLS."""
        peer = self.peer(ae_title)
        if peer is not None and peer.certificate is not None:
            return peer.certificate
        archive = self.archive
        return archive.certificate if isinstance(archive, DimseArchive) and archive.ae_title == ae_title else None

    def may_be_called(self, ae_title: str) -> bool:
        """Whether this is, letter by letter, a listed peer or the archive: whether we know how it is called."""
        archive = self.archive
        return self.peer(ae_title) is not None or (isinstance(archive, DimseArchive) and archive.ae_title == ae_title)

    def _may_call(self, ae_title: str) -> bool:
        peer = self.peer(ae_title)
        return peer is not None and bool(peer.allowed_hosts)

    @model_validator(mode="after")
    def _room_is_made_before_images_are_refused(self) -> "NodeSettings":
        below, until = self.make_room_mib
        reserve = self.node.disk_reserve_mib
        if below < reserve:
            raise ValueError(
                f"spool.make_room_below_mib: is {below}, below node.disk_reserve_mib ({reserve}); "
                "images would be refused before room is made"
            )
        if until < below:
            raise ValueError(f"spool.make_room_until_mib: is {until}; expected at least make_room_below_mib ({below})")
        return self

    @property
    def make_room_mib(self) -> tuple[int, int]:
        """(with less free room than this archived studies go before their time, until there is this much)."""
        below, until = self.spool.make_room_below_mib, self.spool.make_room_until_mib
        reserve = self.node.disk_reserve_mib
        below = 2 * reserve if below is None else below
        return below, max(3 * reserve, below) if until is None else until

    def peer(self, ae_title: str) -> Peer | None:
        """The peer with this AE title, if any."""
        return next((peer for peer in self.peers if peer.ae_title == ae_title), None)


def load_node_settings(file: Path) -> NodeSettings:
    """Read a trust file.

    Raises:
        SettingsError: every problem with file, key and what was expected.
    """
    settings = load_settings(file, NodeSettings)
    missing = [
        (key, f"no such file: {path}")
        for key, path in (
            ("router.token_file", settings.router.token_file),
            ("archive.password_file", getattr(settings.archive, "password_file", None)),
            *settings.reports.files.items(),
        )
        if path is not None and not path.is_file()
    ]
    if not missing and not read_token(settings):
        missing = [("router.token_file", f"is empty: {settings.router.token_file}")]
    if settings.tls is not None:
        missing += tls_problems(settings.tls)
    lists_channels = "channels" in settings.reports.model_fields_set
    if settings.ris is None and lists_channels and "ris" in settings.reports.channels:
        missing.append(("ris", "is missing, but reports.channels lists 'ris'"))
    if not missing and settings.reports.fhir is not None:
        missing += fhir_tls_problems(settings.reports.fhir)
    if "archive_pdf" in settings.reports.channels and (why := _why_no_pages()):
        missing.append(("reports.channels", why))
    if missing:
        raise SettingsError(file, missing)
    return settings


def _why_no_pages() -> str:
    """Why this machine cannot set a page; empty where it can."""
    try:
        import weasyprint  # noqa: F401 - only a trust that wants pages needs the libraries behind it
    except (ImportError, OSError):
        return "lists 'archive_pdf', which needs WeasyPrint and the system's Pango (apt-get install libpangoft2-1.0-0)"
    return ""


def tls_problems(tls: Tls) -> list[tuple[str, str]]:
    """(key, reason) for each of its files that cannot be used; a certificate that has expired can."""
    try:
        TlsContexts(tls.files)
    except TlsFilesError as error:
        return [(f"tls.{key}", reason) for key, reason in error.problems]
    return []


def read_token(settings: NodeSettings) -> str:
    """The node's secret for the router."""
    return settings.router.token_file.read_text(encoding="ascii").strip()


def read_password(archive: OrthancArchive) -> str | None:
    """Orthanc's password, where one is configured."""
    return archive.password_file.read_text(encoding="utf-8").strip() if archive.password_file else None
