"""A node without its router takes images in, archives them, answers queries, and keeps its facts in order."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from dicom_nodes.app import NodeApp
from dicom_nodes.contract import InstanceQuarantined, StudyArchived, StudySettled
from tests.peers import dcmtk
from tests.peers.node import (
    archived_digests,
    facts_of,
    rot_in_spool,
    running_node,
    spooled_objects,
    target_of,
    write_trust_file,
)
from tests.peers.processes import wait_until
from tests.synthetic.studies import data_set_bytes, make_study, rewritten

pytestmark = pytest.mark.peers("dcmtk")


@pytest.fixture
def trust_file(tmp_path: Path) -> Path:
    return write_trust_file(tmp_path / "node")


@pytest.fixture
def node(trust_file: Path) -> Iterator[NodeApp]:
    with running_node(trust_file) as app:
        yield app


def test_a_study_is_archived_byte_for_byte_settled_once_and_told(node: NodeApp, tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=5)
    assert dcmtk.send([file.path for file in study.files], target_of(node)).ok
    told = wait_until(lambda: len(facts_of(node)) >= 2 and facts_of(node), "settled and archived")
    settled = next(fact for fact in told if isinstance(fact, StudySettled))
    archived = next(fact for fact in told if isinstance(fact, StudyArchived))
    assert {entry.sop_instance_uid: entry.digest for entry in settled.manifest.entries} == study.digests
    assert (settled.revision, settled.study.origin, settled.study.patient.issuer) == (1, "RXN", "RXN")
    assert (archived.revision, archived.instance_count) == (1, 5)
    assert archived_digests(tmp_path / "node") == study.digests


def test_a_late_instance_makes_the_next_revision_and_a_repeat_makes_none(node: NodeApp, tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=3)
    first, late = study.files[:2], study.files[2]
    assert dcmtk.send([file.path for file in first], target_of(node)).ok
    wait_until(lambda: any(isinstance(fact, StudyArchived) for fact in facts_of(node)), "first revision archived")
    assert dcmtk.send([file.path for file in first], target_of(node)).ok
    assert dcmtk.send([late.path], target_of(node)).ok
    wait_until(lambda: sum(isinstance(fact, StudyArchived) for fact in facts_of(node)) == 2, "second revision archived")
    revisions = [(f.revision, len(f.manifest.entries)) for f in facts_of(node) if isinstance(f, StudySettled)]
    assert revisions == [(1, 2), (2, 3)]


def test_other_content_under_a_known_uid_is_kept_aside_refused_and_told_once(node: NodeApp, tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=1)
    changed = rewritten(study.files[0], tmp_path / "changed", SeriesDescription="another")
    assert dcmtk.send([study.files[0].path], target_of(node)).ok
    for _ in range(2):
        answer = dcmtk.send_with_storescu([changed.path], target_of(node))
        assert "Error: CannotUnderstand" in answer.output
    quarantined = [fact for fact in facts_of(node) if isinstance(fact, InstanceQuarantined)]
    assert [fact.reason for fact in quarantined] == ["same SOP Instance UID is here with other content"]
    assert len(spooled_objects(tmp_path / "node/data")) == 2
    assert node.health().quarantined == 1
    wait_until(lambda: archived_digests(tmp_path / "node") == study.digests, "the first content archived")


def test_a_data_set_without_study_uid_is_refused_and_its_neighbours_are_stored(node: NodeApp, tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=3)
    broken = rewritten(study.files[1], tmp_path / "broken", StudyInstanceUID=None)
    paths = [study.files[0].path, broken.path, study.files[2].path]
    answer = dcmtk.send_with_storescu(paths, target_of(node), "-nh")
    assert "Error: CannotUnderstand" in answer.output
    wait_until(lambda: len(archived_digests(tmp_path / "node")) == 2, "both neighbours archived")
    reasons = [fact.reason for fact in facts_of(node) if isinstance(fact, InstanceQuarantined)]
    assert reasons == ["data set has no Study Instance UID"]


def test_what_a_stopped_node_left_in_the_spool_is_archived_by_the_next(trust_file: Path, tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=4)
    with running_node(trust_file) as node:
        assert dcmtk.send([file.path for file in study.files], target_of(node)).ok
    (tmp_path / "node/data/node.db").unlink()
    for left in (tmp_path / "node/data").glob("node.db-*"):
        left.unlink()
    with running_node(trust_file) as node:
        wait_until(lambda: any(isinstance(f, StudyArchived) for f in facts_of(node)), "rebuilt, settled and archived")
        settled = next(fact for fact in facts_of(node) if isinstance(fact, StudySettled))
        assert {entry.sop_instance_uid: entry.digest for entry in settled.manifest.entries} == study.digests


def test_a_full_disk_is_answered_a700_and_said_in_the_health_page(tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=1)
    file = write_trust_file(tmp_path / "node", disk_reserve_mib=1 << 40)
    with running_node(file) as node:
        answer = dcmtk.send_with_storescu([study.files[0].path], target_of(node))
        assert "Refused: OutOfResources" in answer.output
        page = httpx2.get(f"http://127.0.0.1:{node.health_port}/health")
        assert page.status_code == 503
        assert page.json()["state"] == "refusing"
        assert "A700" in page.json()["reasons"][0]


def test_an_archive_that_is_away_delays_nothing_else_and_gets_all_when_it_is_back(tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=3)
    with dcmtk.running_workstation("PACS") as pacs:
        pacs.stop()
        archive = f'kind = "dimse"\nae_title = "PACS"\naddress = "{pacs.address}"'
        with running_node(write_trust_file(tmp_path / "node", archive=archive)) as node:
            assert dcmtk.send([file.path for file in study.files], target_of(node)).ok
            wait_until(lambda: any(isinstance(fact, StudySettled) for fact in facts_of(node)), "settled")
            pacs.start()
            wait_until(lambda: any(isinstance(fact, StudyArchived) for fact in facts_of(node)), "archived")
            assert pacs.digests() == study.digests


def test_two_nodes_never_share_a_data_directory(node: NodeApp, trust_file: Path) -> None:
    with pytest.raises(Exception, match="another node runs on data directory"), running_node(trust_file):
        pass


def test_one_damaged_object_does_not_keep_the_others_or_the_node_away(trust_file: Path, tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=3)
    with running_node(trust_file) as node:
        assert dcmtk.send([file.path for file in study.files], target_of(node)).ok
    for left in (tmp_path / "node/data").glob("node.db*"):
        left.unlink()
    rot_in_spool(tmp_path / "node/data", data_set_bytes(study.files[0].path.read_bytes()))
    with running_node(trust_file) as node:
        wait_until(lambda: any(isinstance(fact, StudySettled) for fact in facts_of(node)), "the others settle")
        settled = next(fact for fact in facts_of(node) if isinstance(fact, StudySettled))
        assert len(settled.manifest.entries) == 2
        assert "1 objects in the spool are damaged" in " ".join(node.health().reasons)
        assert dcmtk.send([file.path for file in study.files], target_of(node)).ok, "the sender can mend it"
        wait_until(lambda: archived_digests(tmp_path / "node") == study.digests, "all archived")
