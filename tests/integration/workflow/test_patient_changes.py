"""ADT messages at a running node: a merge is told to the router before it is acknowledged, others are refused."""

from pathlib import Path

from dicom_nodes.contract import PatientChanged
from dicom_nodes.hl7.ack import read_ack
from dicom_nodes.hl7.mllp import frame
from tests.fakes.mllp_peer import exchange
from tests.peers.node import facts_of, running_node, write_trust_file

MERGE = "\r".join(
    [
        r"MSH|^~\&|PAS|RXN|READACROSS|RXN|20261127090000||ADT^A40^ADT_A39|C1|P|2.5",
        "EVN||20261127090000",
        "PID|1||H2^^^RXN^MR~9990000018^^^NHS^NH||Other^Name||19500203|F",
        "MRG|H1^^^RXN^MR\r",
    ]
)


def test_a_merge_reaches_the_router_and_an_admission_is_refused(tmp_path: Path) -> None:
    with running_node(write_trust_file(tmp_path / "node")) as node:
        messages = [frame(text.encode()) for text in (MERGE, MERGE.replace("A40^ADT_A39", "A01"))]
        answers = exchange(node.hl7_port, *messages, answers=2)
        assert [read_ack(answer).code for answer in answers] == ["AA", "AR"]
        (told,) = [fact for fact in facts_of(node) if isinstance(fact, PatientChanged)]
    assert told.prior is not None
    assert (told.prior.patient_id, told.present.patient_id, told.reference) == ("H1", "H2", "C1")
