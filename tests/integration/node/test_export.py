"""Anything in the spool can be had as ordinary DICOM files, beside a running node, after it, and without its tables."""

import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from readacross.cli import command_line
from tests.peers import dcmtk
from tests.peers.node import rot_in_spool, running_node, target_of, write_trust_file
from tests.synthetic.studies import MadeStudy, data_set_bytes, digest_of_file, make_study, rewritten

pytestmark = pytest.mark.peers("dcmtk")


def export(*arguments: object) -> tuple[int, str]:
    said = CliRunner().invoke(command_line(), ["export", *map(str, arguments)])
    return said.exit_code, said.output


def exported(folder: Path) -> dict[str, str]:
    """SOP Instance UID → digest of the data set."""
    return {file.stem: digest_of_file(file) for file in folder.rglob("*.dcm")}


@pytest.fixture
def two_studies(tmp_path: Path) -> tuple[MadeStudy, MadeStudy]:
    return make_study(tmp_path / "one"), make_study(tmp_path / "two", "MR")


def kept_at_node(tmp_path: Path, *studies: MadeStudy) -> Path:
    file = write_trust_file(tmp_path / "node")
    with running_node(file) as node:
        for study in studies:
            assert dcmtk.send([image.path for image in study.files], target_of(node)).ok
    return file


def test_a_study_of_a_running_node_and_of_a_stopped_one(
    tmp_path: Path, two_studies: tuple[MadeStudy, MadeStudy]
) -> None:
    study, other = two_studies
    file = write_trust_file(tmp_path / "node")
    with running_node(file) as node:
        for made in two_studies:
            assert dcmtk.send([image.path for image in made.files], target_of(node)).ok
        node.store.catalogue.committer.wait_until_committed(10)
        code, said = export(file, "--study", study.study_instance_uid, "--to", tmp_path / "out")
        assert (code, "3 of 3 instances" in said) == (0, True), said
    assert exported(tmp_path / "out") == study.digests
    code, said = export(file, "--study", study.study_instance_uid, "--to", tmp_path / "out")
    assert (code, "3 of them were there already" in said) == (0, True), said
    code, said = export(file, "--all", "--to", tmp_path / "all")
    assert code == 0, said
    assert exported(tmp_path / "all") == study.digests | other.digests


def test_dcmdump_reads_it_and_nothing_of_ours_is_in_it(tmp_path: Path) -> None:
    study = make_study(tmp_path / "one", slices=1)
    file = kept_at_node(tmp_path, study)
    export(file, "--study", study.study_instance_uid, "--to", tmp_path / "out")
    (written,) = (tmp_path / "out").rglob("*.dcm")
    assert written.parent.parent.name == study.study_instance_uid
    dump = subprocess.run(["/usr/bin/dcmdump", str(written)], capture_output=True, check=True).stdout.decode("latin-1")
    assert study.files[0].sop_instance_uid in dump
    assert "(0002,0102)" not in dump


@pytest.mark.parametrize("without", [[], ["--without-catalogue"]])
def test_damage_is_told_and_the_rest_is_had(tmp_path: Path, without: list[str]) -> None:
    study = make_study(tmp_path / "one")
    file = kept_at_node(tmp_path, study)
    rot_in_spool(tmp_path / "node" / "data", data_set_bytes(study.files[1].path.read_bytes()))
    code, said = export(file, "--study", study.study_instance_uid, "--to", tmp_path / "out", *without)
    assert code == 1
    assert "not what was kept" in said
    assert len(exported(tmp_path / "out")) == 2
    assert exported(tmp_path / "out").items() <= study.digests.items()


def test_without_the_database(tmp_path: Path, two_studies: tuple[MadeStudy, MadeStudy]) -> None:
    study, other = two_studies
    file = kept_at_node(tmp_path, study, other)
    for part in (tmp_path / "node" / "data").glob("node.db*"):
        part.unlink()
    code, said = export(file, "--study", study.study_instance_uid, "--to", tmp_path / "out")
    assert (code, "--without-catalogue" in said) == (1, True), said
    assert not list((tmp_path / "node" / "data").glob("node.db*"))
    code, said = export(file, "--study", study.study_instance_uid, "--to", tmp_path / "out", "--without-catalogue")
    assert code == 0, said
    assert exported(tmp_path / "out") == study.digests
    code, said = export(file, "--all", "--to", tmp_path / "all", "--without-catalogue")
    assert code == 0, said
    assert exported(tmp_path / "all") == study.digests | other.digests


def test_other_content_is_never_overwritten(tmp_path: Path) -> None:
    study = make_study(tmp_path / "one", slices=1)
    file = kept_at_node(tmp_path, study)
    arguments = (file, "--study", study.study_instance_uid, "--to", tmp_path / "out")
    export(*arguments)
    (written,) = (tmp_path / "out").rglob("*.dcm")
    written.write_bytes(written.read_bytes() + b"\0\0")
    before = written.read_bytes()
    code, said = export(*arguments)
    assert (code, "0 of 1 instances" in said, "other content" in said) == (1, True, True), said
    assert written.read_bytes() == before


def test_what_is_in_quarantine(tmp_path: Path) -> None:
    study = make_study(tmp_path / "one", slices=1)
    changed = rewritten(study.files[0], tmp_path / "changed", PatientComments="other content")
    file = write_trust_file(tmp_path / "node")
    with running_node(file) as node:
        assert dcmtk.send([study.files[0].path], target_of(node)).ok
        dcmtk.send([changed.path], target_of(node))
        assert node.health().quarantined == 1
    export(file, "--all", "--to", tmp_path / "all")
    (aside,) = (tmp_path / "all" / "quarantined").glob("*.dcm")
    assert digest_of_file(aside) == changed.digest
    for number, without in enumerate(([], ["--without-catalogue"])):
        to = tmp_path / f"out{number}"
        code, said = export(file, "--quarantined", aside.stem, "--to", to, *without)
        assert (code, "1 of 1 instances" in said) == (0, True), said
        assert set(exported(to).values()) == {changed.digest}


@pytest.mark.parametrize(
    "arguments", [[], ["--study", "1.2", "--all"], ["--study", "1.2.3.4.5"]], ids=["nothing", "two", "unknown"]
)
def test_what_cannot_be_asked_or_is_not_there_is_no_success(tmp_path: Path, arguments: list[str]) -> None:
    file = kept_at_node(tmp_path)
    code, _ = export(file, "--to", tmp_path / "out", *arguments)
    assert code != 0
