"""How receivers end and refuse: what is in hand is finished, what cannot be taken is said to be so."""

import threading
from pathlib import Path

import pytest

from dicom_nodes.dimse.association import Proposal
from dicom_nodes.dimse.messages import StoreRequest
from dicom_nodes.dimse.requester import AssociationRequester, OpenedAssociation
from dicom_nodes.model.delivery import ApplicationEntity
from tests.peers import dcmtk
from tests.peers.node import archived_digests, running_node, target_of, write_trust_file
from tests.peers.processes import accepts_connections, wait_until
from tests.synthetic.studies import ImageFile, data_set_bytes, make_study

pytestmark = pytest.mark.peers("dcmtk")


def test_an_association_that_is_open_when_the_node_is_asked_to_end_finishes_what_it_has(tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=2)
    first, second = study.files
    file = write_trust_file(tmp_path / "node", receivers=1, settle_quiet_s=0.3)
    with running_node(file) as node:
        port = node.dicom_port
        association = opened(port, first)
        assert store(association, first) == 0
        ending = threading.Thread(target=node.stop)
        ending.start()
        wait_until(lambda: not accepts_connections(port), "nothing new is taken")
        assert store(association, second) == 0
        association.release()
        ending.join(20)
        assert not ending.is_alive()
        assert len(list((tmp_path / "node/data/spool").rglob("*.seg"))) == 1
        file = write_trust_file(tmp_path / "node", settle_quiet_s=0.3)
        with running_node(file):
            wait_until(lambda: archived_digests(tmp_path / "node") == study.digests, "both are there")


def test_without_room_images_are_refused_and_health_says_so(tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=1)
    with running_node(write_trust_file(tmp_path / "node", receivers=1, disk_reserve_mib=1 << 30)) as node:
        said = dcmtk.send_with_storescu([study.files[0].path], target_of(node)).output
        assert "OutOfResources" in said
        assert "Images were refused (A700)" in " ".join(node.health().reasons)


def opened(port: int, image: ImageFile) -> OpenedAssociation:
    proposal = Proposal(image.sop_class_uid, (image.transfer_syntax_uid,))
    return AssociationRequester("DCMTK")(ApplicationEntity("RXN_NODE", "127.0.0.1", port), [proposal])


def store(association: OpenedAssociation, image: ImageFile) -> int:
    request = StoreRequest(
        association.contexts[0], 1, image.sop_class_uid, image.sop_instance_uid,
        data_set_bytes(image.path.read_bytes()),
    )  # fmt: skip
    return association.request(request).status
