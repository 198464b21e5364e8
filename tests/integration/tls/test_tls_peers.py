"""TLS with other implementations on the other end: DCMTK (OpenSSL) in both roles, and pynetdicom (Python's ssl)."""

import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.filereader import read_dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association

from dicom_nodes.dimse.store_scu import DicomStoreScu
from dicom_nodes.dimse.verification_scu import DicomProbe
from dicom_nodes.model.delivery import ApplicationEntity, OutgoingInstance
from dicom_nodes.model.instance import IncomingInstance
from tests.integration.dimse.node import WireNode, bundled, data_set_of, digest, peer
from tests.integration.tls.conftest import RequesterOf, RunNode
from tests.peers import dcmtk
from tests.peers.answers import answers_kept
from tests.peers.certificates import Authority, Identity
from tests.peers.dcmtk import Target
from tests.peers.processes import program, run

CT, VERIFICATION = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.1"
STUDY_ROOT_MOVE, STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.2", "1.2.840.10008.5.1.4.1.2.2.3"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
FILES = [bundled(name) for name in ("CT_small.dcm", "MR_small_implicit.dcm")]
STUDY = str(dcmread(FILES[0]).StudyInstanceUID)
PROFILES = ["--profile-bcp195-nd", "--profile-bcp195", "--profile-bcp195-ex"]


def tls_options(identity: Identity, authority: Authority, profile: str = PROFILES[0]) -> list[str]:
    """DCMTK's options; `profile` comes first, because a profile sets the cipher suites anew."""
    files = [str(identity.key), str(identity.certificate)]
    return ["--enable-tls", *files, profile, "--add-cert-file", str(authority.certificate)]


def target(node: WireNode, calling: str = "CT1") -> Target:
    return Target("NODE", node.listener.tls_port, calling)


def pixels_of(incoming: IncomingInstance) -> bytes:
    implicit = incoming.transfer_syntax_uid == IMPLICIT
    return bytes(read_dataset(BytesIO(incoming.data_set), implicit, True).PixelData)


def pixels(files: Iterable[Path]) -> set[bytes]:
    return {dcmread(file).PixelData for file in files}


@pytest.mark.peers("dcmtk")
@pytest.mark.parametrize("profile", PROFILES)
def test_dcmtk_speaks_to_the_node_in_each_profile_of_today(
    node: WireNode, authority: Authority, scanner: Identity, profile: str
) -> None:
    answer = dcmtk.echo(target(node), *tls_options(scanner, authority, profile))

    assert answer.ok, answer.output
    assert "Received Echo Response (Success)" in answer.output


@pytest.mark.peers("dcmtk")
@pytest.mark.parametrize("profile", ["--profile-aes", "--profile-null"])
def test_dcmtk_in_a_retired_profile_is_refused(
    node: WireNode, authority: Authority, scanner: Identity, profile: str
) -> None:
    answer = dcmtk.echo(target(node), *tls_options(scanner, authority, profile))

    assert not answer.ok
    assert node.opened == []


@pytest.mark.peers("dcmtk")
def test_dcmtk_without_our_authority_does_not_speak_to_us(
    node: WireNode, stranger: Authority, scanner: Identity
) -> None:
    answer = dcmtk.echo(target(node), *tls_options(scanner, stranger))

    assert not answer.ok
    assert "certificate verify failed" in answer.output


@pytest.mark.peers("dcmtk")
def test_storescu_stores(node: WireNode, authority: Authority, scanner: Identity) -> None:
    answer = dcmtk.send_with_storescu(FILES, target(node), *tls_options(scanner, authority))

    assert answer.ok, answer.output
    assert {pixels_of(incoming) for incoming in node.received} == pixels(FILES)
    assert {incoming.provenance.sending_ae_title for incoming in node.received} == {"CT1"}


@pytest.mark.peers("dcmtk")
def test_findscu_finds(node: WireNode, authority: Authority, scanner: Identity) -> None:
    node.keep_file(FILES[0])

    keys = ["QueryRetrieveLevel=STUDY", "StudyInstanceUID"]
    found, answers = dcmtk.find(target(node), keys, *tls_options(scanner, authority))

    assert found.ok, found.output
    assert [answer.StudyInstanceUID for answer in answers] == [STUDY]


@pytest.mark.peers("dcmtk")
@pytest.mark.parametrize("name", ["dcmsend", "getscu", "movescu"])
def test_programs_of_dcmtk_without_tls(name: str) -> None:
    """Of DCMTK 3.6.7 these have none: C-MOVE and C-GET by TLS are asked with pynetdicom below."""
    code, output = run([program(name, "/usr/bin"), "--enable-tls", "key", "certificate", "127.0.0.1", "104"])

    assert code != 0
    assert "Unknown option --enable-tls" in output


@pytest.mark.peers("dcmtk")
def test_a_large_data_set_reaches_a_storescp(
    authority: Authority, scanner: Identity, requester_of: RequesterOf
) -> None:
    meta, data_set = data_set_of(FILES[0])
    trailing_padding, size = b"\xfc\xff\xfc\xffOB\x00\x00", 64 << 20
    large = data_set.partition(trailing_padding)[0] + trailing_padding + size.to_bytes(4, "little") + bytes(size)
    uid = str(meta.MediaStorageSOPInstanceUID)
    instance = OutgoingInstance(uid, str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID), lambda: large)
    with dcmtk.running_workstation("STATION", *tls_options(authority.issue("STATION"), authority)) as station:
        entity = ApplicationEntity("STATION", "127.0.0.1", station.port)
        scu = DicomStoreScu("CT1", open_association=requester_of("CT1", scanner, "dns:station.example"))
        results = list(scu.send(entity, [instance]))
        received = station.digests()

    assert [(result.status, result.comment) for result in results] == [(0, "")]
    assert received == {uid: digest(large)}


@pytest.mark.peers("dcmtk")
def test_a_storescp_that_does_not_trust_our_authority_is_told_apart(
    authority: Authority, stranger: Authority, scanner: Identity, requester_of: RequesterOf
) -> None:
    station_options = tls_options(authority.issue("STATION"), stranger)
    with dcmtk.running_workstation("STATION", *station_options) as station:
        entity = ApplicationEntity("STATION", "127.0.0.1", station.port)
        requester = requester_of("CT1", scanner, "cn:STATION")
        words = DicomProbe("CT1", open_association=requester).echo(entity)

    where = f"STATION at 127.0.0.1:{station.port}"
    assert words in {
        f"{where} cannot be called by TLS: it does not trust the authority of our certificate",
        f"{where} does not answer the association request; does it take our certificate?",  # its reset outran its alert
    }


# -- pynetdicom --------------------------------------------------------------------------------------------------------
@contextmanager
def associated(node: WireNode, authority: Authority, identity: Identity, ae: AE, **more: Any) -> Iterator[Association]:
    """An association of pynetdicom's, with Python's own TLS; the node is known by its host name."""
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.load_cert_chain(identity.certificate, identity.key)
    port = node.listener.tls_port
    association = answers_kept(
        ae.associate("127.0.0.1", port, ae_title="NODE", tls_args=(context, "node.example"), **more)
    )
    assert association.is_established
    try:
        yield association
    finally:
        association.release()


def test_pynetdicom_stores(node: WireNode, authority: Authority, scanner: Identity) -> None:
    ae = AE("CT1")
    ae.add_requested_context(CT, EXPLICIT)
    ae.add_requested_context(VERIFICATION)

    with associated(node, authority, scanner, ae) as association:
        echo = association.send_c_echo().Status
        statuses = [association.send_c_store(str(FILES[0])).Status for _ in range(5)]

    assert (echo, statuses) == (0, [0] * 5)
    assert len(node.received) == 5


def test_pynetdicom_gets(node: WireNode, authority: Authority, scanner: Identity) -> None:
    uid, _ = node.keep_file(FILES[0])
    taken: list[str] = []

    def take(event: evt.Event) -> int:
        taken.append(str(event.request.AffectedSOPInstanceUID))
        return 0

    ae = AE("CT1")
    ae.add_requested_context(STUDY_ROOT_GET)
    ae.add_requested_context(CT, EXPLICIT)
    role, handlers = build_role(CT, scp_role=True), [(evt.EVT_C_STORE, take)]
    with associated(node, authority, scanner, ae, ext_neg=[role], evt_handlers=handlers) as association:
        statuses = [status.Status for status, _ in association.send_c_get(study_keys(), STUDY_ROOT_GET)]

    assert statuses[-1] == 0
    assert taken == [uid]


@pytest.mark.peers("dcmtk")
def test_pynetdicom_moves_to_a_storescp_that_the_node_calls_by_tls(
    run_node: RunNode, authority: Authority, scanner: Identity
) -> None:
    with dcmtk.running_workstation("STATION", *tls_options(authority.issue("STATION"), authority)) as station:
        peers = [
            peer("CT1", certificate="dns:ct1.example"),
            peer("STATION", role="workstation", may=[], address=station.address, certificate="cn:STATION"),
        ]
        with run_node(*peers) as node:
            uid, kept = node.keep_file(FILES[0])
            ae = AE("CT1")
            ae.add_requested_context(STUDY_ROOT_MOVE)
            with associated(node, authority, scanner, ae) as association:
                answers = association.send_c_move(study_keys(), "STATION", STUDY_ROOT_MOVE)
                statuses = [status.Status for status, _ in answers]
        received = station.digests()

    assert statuses[-1] == 0
    assert received == {uid: kept}


def test_pynetdicom_takes_what_we_send(
    authority: Authority, scanner: Identity, own: Identity, requester_of: RequesterOf
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.certificate))
    context.load_cert_chain(own.certificate, own.key)
    context.verify_mode = ssl.CERT_REQUIRED
    taken: list[bytes] = []

    def take(event: evt.Event) -> int:
        taken.append(event.request.DataSet.getvalue())
        return 0

    ae = AE("PACS")
    ae.add_supported_context(CT, EXPLICIT)
    handlers = [(evt.EVT_C_STORE, take)]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers, ssl_context=context)
    assert server is not None
    try:
        entity = ApplicationEntity("PACS", "127.0.0.1", server.server_address[1])
        meta, data_set = data_set_of(FILES[0])
        uid, sop_class = str(meta.MediaStorageSOPInstanceUID), str(meta.MediaStorageSOPClassUID)
        instance = OutgoingInstance(uid, sop_class, EXPLICIT, lambda: data_set)
        scu = DicomStoreScu("CT1", open_association=requester_of("CT1", scanner, "cn:NODE"))
        results = list(scu.send(entity, [instance] * 3))
    finally:
        server.shutdown()

    assert [(result.status, result.comment) for result in results] == [(0, "")] * 3
    assert taken == [data_set] * 3


def study_keys() -> Dataset:
    keys = Dataset()
    keys.QueryRetrieveLevel, keys.StudyInstanceUID = "STUDY", STUDY
    return keys
