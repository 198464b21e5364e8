"""Hazard 7: one Study Instance UID claimed for two patients; the second claim is kept aside, never joined."""

from pathlib import Path

import pytest

from dicom_nodes.contract import InstanceQuarantined
from tests.peers import dcmtk
from tests.peers.node import facts_of, running_node, target_of, write_trust_file
from tests.synthetic.studies import make_study, rewritten

pytestmark = pytest.mark.peers("dcmtk")


@pytest.mark.parametrize(("other", "receivers"), [({"PatientID": "H-OTHER"}, 0), ({"IssuerOfPatientID": "RXL"}, 2)])
def test_an_instance_of_another_patient_does_not_join_the_study(
    tmp_path: Path, other: dict[str, str], receivers: int
) -> None:
    study = make_study(tmp_path / "images", slices=2)
    stranger = rewritten(study.files[1], tmp_path / "stranger", **other)
    with running_node(write_trust_file(tmp_path / "node", receivers=receivers)) as node:
        assert dcmtk.send([study.files[0].path], target_of(node)).ok
        assert "Error: CannotUnderstand" in dcmtk.send_with_storescu([stranger.path], target_of(node)).output
        found = [stored.sop_instance_uid for stored in node.store.catalogue.instances(study.study_instance_uid)]
        reasons = [fact.reason for fact in facts_of(node) if isinstance(fact, InstanceQuarantined)]
    assert found == [study.files[0].sop_instance_uid]
    assert reasons == ["same Study Instance UID is here for another patient"]
