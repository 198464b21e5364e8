"""Transcripts of DCMTK 3.6.7's programs against a node: exit code and what they say.

What they cannot do: dcmsend, getscu and movescu have no TLS (tests/integration/tls); storescu writes every data set
anew before it sends it, so contents are compared as values; dcmqrti sends only what a dcmqrscp database of its own
holds.
"""

import shutil
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from tests.integration.dimse.node import WireNode, bundled, peer, running_node
from tests.integration.interop.conftest import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, received_data_set, transcript
from tests.peers.dcmtk import Answer, Target, find, move, running_workstation
from tests.peers.processes import program, run, wait_until

pytestmark = pytest.mark.peers("dcmtk")

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
OPENED = ["Requesting Association", "Association Accepted (Max Send PDV: 131060)"]
CT, MR = bundled("CT_small.dcm"), bundled("MR_small_implicit.dcm")
STUDY = str(dcmread(CT).StudyInstanceUID)


def dcmtk(name: str, node: WireNode, *arguments: str | Path) -> Answer:
    """Call the node; parameters other than its address come last."""
    options = [argument for argument in arguments if not isinstance(argument, Path)]
    files = [argument for argument in arguments if isinstance(argument, Path)]
    titles = ["-aet", "DCMTK", "-aec", "NODE"]
    return Answer(*run([program(name, "/usr/bin"), "-v", *titles, *options, "127.0.0.1", str(node.port), *files]))


def stored(message_id: int, modality: str, before: str, after: str) -> list[str]:
    """What storescu says of one file."""
    return [
        "Sending file",
        f"Converting transfer syntax: {before} -> {after}",
        f"Sending Store Request (MsgID {message_id}, {modality})",
        "Received Store Response (Success)",
    ]


# -- echoscu, termscu --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("largest_pdu", ["4096", "16384", "131072"])
def test_echoscu_with_many_contexts_and_syntaxes(node: WireNode, largest_pdu: str) -> None:
    answer = dcmtk(
        "echoscu", node, "--repeat", "2", "--propose-ts", "38", "--propose-pc", "128", "--max-pdu", largest_pdu
    )

    echoes = [
        line for n in (1, 2) for line in (f"Sending Echo Request (MsgID {n})", "Received Echo Response (Success)")
    ]
    assert answer.code == 0
    assert transcript(answer.output) == [*OPENED, *echoes, "Releasing Association"]


def test_echoscu_aborts(node: WireNode) -> None:
    answer = dcmtk("echoscu", node, "--abort")

    assert answer.code == 0
    assert transcript(answer.output)[-1] == "Aborting Association"
    wait_until(lambda: node.closed == node.opened, "the node let go of it")


def test_termscu_asks_for_a_shutdown_and_stops_nothing(node: WireNode) -> None:
    """Its private SOP class is accepted for nothing: the release that follows is all."""
    answer = dcmtk("termscu", node)

    assert answer.code == 0
    assert transcript(answer.output) == [*OPENED, "Releasing Association"]
    assert dcmtk("echoscu", node).ok


# -- storescu ----------------------------------------------------------------------------------------------------------
COMPRESSED = {
    "-xs": ("1.2.840.10008.1.2.4.70", "JPEG Lossless, Non-hierarchical, 1st Order Prediction"),
    "-xy": ("1.2.840.10008.1.2.4.50", "JPEG Baseline"),
    "-xx": ("1.2.840.10008.1.2.4.51", "JPEG Extended, Process 2+4"),
    "-xv": ("1.2.840.10008.1.2.4.90", "JPEG 2000 (Lossless only)"),
    "-xw": ("1.2.840.10008.1.2.4.91", "JPEG 2000 (Lossless or Lossy)"),
    "-xt": ("1.2.840.10008.1.2.4.80", "JPEG-LS Lossless"),
    "-xu": ("1.2.840.10008.1.2.4.81", "JPEG-LS Lossy (Near-lossless)"),
    "-xm": ("1.2.840.10008.1.2.4.100", "MPEG2 Main Profile @ Main Level"),
    "-xh": ("1.2.840.10008.1.2.4.101", "MPEG2 Main Profile @ High Level"),
    "-xn": ("1.2.840.10008.1.2.4.102", "MPEG-4 AVC/H.264 High Profile / Level 4.1"),
    "-xl": ("1.2.840.10008.1.2.4.103", "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1"),
    "-x2": ("1.2.840.10008.1.2.4.104", "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video"),
    "-x3": ("1.2.840.10008.1.2.4.105", "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video"),
    "-xo": ("1.2.840.10008.1.2.4.106", "MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2"),
    "-x4": ("1.2.840.10008.1.2.4.107", "HEVC/H.265 Main Profile / Level 5.1"),
    "-x5": ("1.2.840.10008.1.2.4.108", "HEVC/H.265 Main 10 Profile / Level 5.1"),
    "-xr": ("1.2.840.10008.1.2.5", "RLE Lossless"),
}
UNCOMPRESSED = {
    "-xe": (EXPLICIT, "Little Endian Explicit"),
    "-x=": (EXPLICIT, "Little Endian Explicit"),
    "-xi": (IMPLICIT, "Little Endian Implicit"),
    "-xd": (DEFLATED, "Deflated Explicit VR Little Endian"),
}


def compressed_file(folder: Path, syntax: str) -> Path:
    """An image whose pixels only say that they are compressed: storescu does not look at them."""
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID = SECONDARY_CAPTURE, "1.2.826.0.1.3680043.2.1"
    image.StudyInstanceUID, image.SeriesInstanceUID = "1.2.826.0.1.3680043.2.2", "1.2.826.0.1.3680043.2.3"
    image.PatientID, image.PatientName, image.Modality = "RXN1", "Ashdown^Ivy", "OT"
    image.PixelData = encapsulate([bytes(range(256)) * 300])
    image["PixelData"].VR = "OB"
    image["PixelData"].is_undefined_length = True
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = UID(syntax)
    image.file_meta.MediaStorageSOPClassUID = UID(SECONDARY_CAPTURE)
    image.file_meta.MediaStorageSOPInstanceUID = UID(image.SOPInstanceUID)
    path = folder / "compressed.dcm"
    image.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("option", COMPRESSED)
def test_storescu_proposes_a_compressed_syntax(node: WireNode, tmp_path: Path, option: str) -> None:
    syntax, name = COMPRESSED[option]
    file = compressed_file(tmp_path, syntax)

    answer = dcmtk("storescu", node, "-R", option, file)

    assert answer.code == 0, answer.output
    said = transcript(answer.output)
    assert said == ["checking input files ...", *OPENED, *stored(1, "SC", name, name), "Releasing Association"]
    (incoming,) = node.received
    assert incoming.transfer_syntax_uid == syntax
    assert received_data_set(incoming).PixelData == dcmread(file).PixelData


@pytest.mark.parametrize("option", UNCOMPRESSED)
def test_storescu_proposes_an_uncompressed_syntax(node: WireNode, option: str) -> None:
    syntax, name = UNCOMPRESSED[option]

    answer = dcmtk("storescu", node, "-R", option, CT, MR)

    assert answer.code == 0, answer.output
    assert transcript(answer.output) == [
        "checking input files ...",
        *OPENED,
        *stored(1, "CT", "Little Endian Explicit", name),
        *stored(2, "MR", "Little Endian Implicit", name),
        "Releasing Association",
    ]
    assert [incoming.transfer_syntax_uid for incoming in node.received] == [syntax] * 2
    received = [received_data_set(incoming) for incoming in node.received]
    assert [data_set.PixelData for data_set in received] == [dcmread(file).PixelData for file in (CT, MR)]


def test_storescu_sends_a_big_endian_file_as_it_is(node: WireNode) -> None:
    """It proposes big endian for big endian files only, whatever -xb says of the others."""
    file, name = bundled("MR_small_bigendian.dcm"), "Big Endian Explicit"

    answer = dcmtk("storescu", node, "-R", "-xb", file)

    assert answer.code == 0, answer.output
    said = transcript(answer.output)
    assert said == ["checking input files ...", *OPENED, *stored(1, "MR", name, name), "Releasing Association"]
    assert node.received[0].transfer_syntax_uid == BIG_ENDIAN
    assert received_data_set(node.received[0]).PixelData == dcmread(file).PixelData


@pytest.mark.parametrize("options", [("+C",), ("+C", "-R"), ("-x=", "+C"), ()])
def test_storescu_combines_proposals_or_proposes_every_storage_class(node: WireNode, options: tuple[str, ...]) -> None:
    answer = dcmtk("storescu", node, *options, CT, MR)

    assert answer.code == 0, answer.output
    assert transcript(answer.output).count("Received Store Response (Success)") == 2
    assert {incoming.transfer_syntax_uid for incoming in node.received} <= {EXPLICIT, IMPLICIT}


def test_storescu_proposes_a_profile_of_its_configuration(node: WireNode) -> None:
    answer = dcmtk("storescu", node, "-xf", "/etc/dcmtk/storescu.cfg", "Default", CT)

    assert answer.code == 0, answer.output
    assert len(node.received) == 1


@pytest.mark.parametrize("largest", ["4096", "8192", "65536", "131072"])
def test_storescu_sends_and_takes_pdus_of_any_size(node: WireNode, largest: str) -> None:
    answer = dcmtk("storescu", node, "-R", "--max-pdu", largest, "--max-send-pdu", largest, CT)

    assert answer.code == 0, answer.output
    assert received_data_set(node.received[0]).PixelData == dcmread(CT).PixelData


def test_storescu_repeats_with_invented_uids(node: WireNode) -> None:
    answer = dcmtk("storescu", node, "-R", "--repeat", "5", "+IS", "2", CT)

    assert answer.code == 0, answer.output
    assert len({incoming.sop_instance_uid for incoming in node.received}) == 5


def test_storescu_aborts_after_the_last_answer(node: WireNode) -> None:
    answer = dcmtk("storescu", node, "-R", "--abort", CT)

    assert answer.code == 0
    assert transcript(answer.output)[-2:] == ["Received Store Response (Success)", "Aborting Association"]
    assert len(node.received) == 1


# -- user identity -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("identity", [("-usr", "ivy"), ("-usr", "ivy", "-pwd", "secret"), ("-usr", "ivy", "-epw")])
def test_a_user_identity_is_passed_over_and_never_logged(node: WireNode, identity: tuple[str, ...]) -> None:
    answer = dcmtk("storescu", node, "-R", *identity, CT)

    assert answer.code == 0, answer.output
    assert len(node.received) == 1
    assert "ivy" not in str(node.log.events)
    assert "secret" not in str(node.log.events)


@pytest.mark.parametrize("kind", ["-kt", "--saml", "--jwt"])
def test_a_ticket_or_assertion_is_passed_over(node: WireNode, tmp_path: Path, kind: str) -> None:
    (tmp_path / "assertion").write_text("an assertion of some length")

    answer = dcmtk("storescu", node, "-R", kind, str(tmp_path / "assertion"), CT)

    assert answer.code == 0, answer.output


def test_who_demands_a_positive_response_to_a_user_identity_gets_none(node: WireNode) -> None:
    """An acceptor that does not support it sends none (PS3.7 D.3.3.7.1), and the requester decides: storescu ends."""
    answer = dcmtk("storescu", node, "-R", "-usr", "ivy", "-pwd", "secret", "-rsp", CT)

    assert answer.code == 1
    assert "User Identity Negotiation failed: Positive response requested but none received" in answer.output
    assert node.received == []


# -- dcmsend -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("associations", ["+ma", "-ma"])
def test_dcmsend_sends_files_in_their_own_syntaxes(node: WireNode, tmp_path: Path, associations: str) -> None:
    files = [CT, bundled("MR_small_RLE.dcm"), bundled("image_dfl.dcm"), bundled("JPEG2000.dcm")]
    for number, file in enumerate(files):
        shutil.copy(file, tmp_path / f"{number}.dcm")
    report = tmp_path / "report.txt"

    answer = dcmtk(
        "dcmsend", node, "-dn", associations, "--max-send-pdu", "4096", "+crf", str(report), "+sd", "+r",
        "+sp", "*.dcm", tmp_path,
    )  # fmt: skip

    assert answer.code == 0, answer.output
    assert "*with status SUCCESS  : 4" in answer.output.replace("* with", "*with")
    syntaxes = {str(dcmread(file).file_meta.TransferSyntaxUID) for file in files}
    assert {incoming.transfer_syntax_uid for incoming in node.received} == syntaxes


# -- findscu, getscu, movescu ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("model", ["-S", "-P"])
def test_findscu_in_both_models(node: WireNode, model: str) -> None:
    node.keep_file(CT)
    answer, found = find(
        Target("NODE", node.port), ["QueryRetrieveLevel=STUDY", "StudyInstanceUID", "PatientID=1CT1"], model=model
    )

    assert answer.code == 0
    assert transcript(answer.output)[-2:] == ["Received Final Find Response (Success)", "Releasing Association"]
    assert [data_set.StudyInstanceUID for data_set in found] == [STUDY]


def test_findscu_in_the_retired_patient_study_only_model_is_refused(node: WireNode) -> None:
    answer, _ = find(Target("NODE", node.port), ["QueryRetrieveLevel=STUDY", "PatientID=1CT1"], model="-O")

    assert answer.code == 2
    assert transcript(answer.output) == ["Requesting Association", "No Acceptable Presentation Contexts"]


@pytest.mark.parametrize("model", ["-S", "-P"])
def test_getscu_in_both_models(node: WireNode, tmp_path: Path, model: str) -> None:
    uid, _ = node.keep_file(CT)
    keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={STUDY}", "-k", "PatientID=1CT1"]

    answer = dcmtk("getscu", node, model, "+B", "-od", str(tmp_path), *keys)

    assert answer.code == 0, answer.output
    assert transcript(answer.output) == [
        *OPENED,
        "Sending C-GET Request (MsgID 1)",
        "Received C-STORE Request (MsgID 2)",
        "Sending C-STORE Response (Success)",
        "Received C-GET Response (Success)",
        "Final status report from last C-GET message:",
        "Number of Remaining Suboperations : 0",
        "Number of Completed Suboperations : 1",
        "Number of Failed Suboperations    : 0",
        "Number of Warning Suboperations   : 0",
        "Releasing Association",
    ]
    assert dcmread(tmp_path / uid).PixelData == dcmread(CT).PixelData


@pytest.mark.parametrize("model", ["-S", "-P"])
def test_movescu_in_both_models(tmp_path: Path, model: str) -> None:
    with running_workstation("STATION") as station:
        peers = [peer("DCMTK"), peer("STATION", role="workstation", may=[], address=station.address)]
        with running_node(tmp_path, f"sqlite:///{tmp_path / 'node.db'}", *peers) as node:
            uid, kept = node.keep_file(CT)
            keys = ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={STUDY}", "PatientID=1CT1"]
            answer = move(Target("NODE", node.port), "STATION", keys, model=model)
        received = station.digests()

    assert answer.code == 0
    assert transcript(answer.output)[-2:] == ["Received Final Move Response (Success)", "Releasing Association"]
    assert received == {uid: kept}


def test_movescu_to_nobody_says_so(node: WireNode) -> None:
    node.keep_file(CT)
    answer = move(Target("NODE", node.port), "NOWHERE", ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={STUDY}"])

    assert answer.code == 69
    assert "Received Final Move Response (Refused: MoveDestinationUnknown)" in transcript(answer.output)


# -- dcmqrti -----------------------------------------------------------------------------------------------------------
def test_dcmqrti_echoes_and_sends_a_study_of_its_own_database(node: WireNode, tmp_path: Path) -> None:
    """It calls under the title of its database, which dcmqridx makes."""
    database = tmp_path / "database"
    database.mkdir()
    shutil.copy(CT, database / "ct.dcm")
    assert run([program("dcmqridx", "/usr/bin"), database, database / "ct.dcm"])[0] == 0
    configuration = tmp_path / "dcmqrscp.cfg"
    configuration.write_text(
        "NetworkTCPPort = 11119\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
        f"HostTable BEGIN\nnode = (NODE, 127.0.0.1, {node.port})\nHostTable END\n"
        'VendorTable BEGIN\n"Node" = node\nVendorTable END\n'
        f"AETable BEGIN\nDCMTK {database} RW (9, 1024mb) ANY\nAETable END\n"
    )
    commands = tmp_path / "commands"
    commands.write_text("echo 2\nsend study 0\nexit\n")
    telnet = f"{program('dcmqrti', '/usr/bin')} -v -c {configuration} -aet DCMTK node < {commands}"

    code, output = run([program("sh"), "-c", telnet])

    assert code == 0, output
    assert len(node.opened) == 2, output  # one association echoes, the next one sends
    assert [incoming.sop_class_uid for incoming in node.received] == [str(dcmread(CT).SOPClassUID)]
