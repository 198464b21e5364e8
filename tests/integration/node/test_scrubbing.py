"""Damage in the spool is found before anybody asks for the image, is shown to a person, and survives a restart."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete
from typer.testing import CliRunner

from dicom_nodes.config import load_node_settings
from dicom_nodes.flows.scrub import Scrub
from dicom_nodes.spool import tables
from dicom_nodes.spool.location import place_of
from dicom_nodes.wiring import open_node_store
from readacross.cli import command_line
from tests.integration.node.small_spool import DAY, SmallSpool, fill, uid_of
from tests.peers import dcmtk
from tests.peers.node import rot_in_spool, running_node, target_of, write_trust_file
from tests.peers.processes import wait_until
from tests.synthetic.studies import data_set_bytes, make_study

FAST = 1e12


def payload(number: int) -> bytes:
    return f"payload-{number:06d}.".encode() * 100


@pytest.fixture
def spool(tmp_path: Path, database_url: str) -> Iterator[SmallSpool]:
    made = SmallSpool(tmp_path, database_url)
    yield made
    made.close()


def scrub_of(spool: SmallSpool, *, stops_after: int = 1 << 60) -> Scrub:
    """A scrubber that the node stops after so many pieces."""
    pieces = iter(range(stops_after))
    wait = lambda _seconds: next(pieces, None) is None  # noqa: E731
    return Scrub(spool.store.scrubbing, spool.spool, FAST, spool.clock, wait)


def rot(spool: SmallSpool, number: int, *, back: bool = False) -> str:
    """Change the instance where it lies, or mend it again."""
    location = spool.location(number)
    assert location is not None
    file = spool.folder / "spool" / "segments" / f"{place_of(location).life.number:08x}.seg"
    sound, changed = payload(number)[:15], payload(number)[:15].replace(b"payload", b"PAYload")
    before, after = (changed, sound) if back else (sound, changed)
    content = bytearray(file.read_bytes())
    at = content.index(before, place_of(location).offset)
    content[at : at + len(after)] = after
    file.write_bytes(content)
    return location


def test_damage_is_found_written_down_and_struck_off_when_it_is_mended(spool: SmallSpool) -> None:
    fill(spool, 1, 10, 100, payload)
    location = rot(spool, 104)
    aside = spool.quarantine(600, 6, payload(600))
    scrub_of(spool)()
    assert spool.spool.damaged == {location}
    spool.restart()
    assert spool.spool.damaged == set()
    scrub = scrub_of(spool)
    assert spool.spool.damaged == {location}, "known again after a restart"
    (described,) = spool.store.scrubbing.described_damage()
    assert (described.sop_instance_uid, described.archived_at) == (uid_of(104), None)
    rot(spool, 104, back=True)
    spool.clock.now += 2 * DAY
    scrub()
    assert spool.spool.damaged == set()
    assert spool.store.scrubbing.described_damage() == []
    assert aside in spool.store.scrubbing.objects_behind(None, 1000)


def test_it_goes_on_after_a_restart_where_it_had_come_to(spool: SmallSpool) -> None:
    fill(spool, 1, 6, 100, payload)
    scrub_of(spool, stops_after=3)()
    first = spool.store.scrubbing.scrubbing()
    assert first is not None
    assert first.last is not None
    assert len(spool.store.scrubbing.objects_behind(first.last, 100)) == 3
    rot(spool, 100)
    spool.restart()
    scrub_of(spool)()
    assert spool.spool.damaged == set(), "what was looked at before is not looked at again in this pass"
    spool.clock.now += timedelta(hours=23)
    scrub_of(spool)()
    assert spool.spool.damaged == set(), "a pass a day at most"
    spool.clock.now += timedelta(hours=2)
    scrub_of(spool)()
    assert len(spool.spool.damaged) == 1


def test_a_missing_segment_is_damage(spool: SmallSpool) -> None:
    fill(spool, 1, 2, 100, payload)
    location = spool.location(100)
    assert location is not None
    (spool.folder / "spool" / "segments" / f"{place_of(location).life.number:08x}.seg").unlink()
    scrub_of(spool)()
    assert len(spool.spool.damaged) == 2


def test_what_was_evicted_is_no_damage(spool: SmallSpool) -> None:
    fill(spool, 1, 12, 100, payload)
    spool.archive(1)
    location = rot(spool, 100)
    assert not spool.spool.is_sound(location)
    scrub = scrub_of(spool)
    scrub()
    assert spool.spool.damaged == {location}
    spool.clock.now += 31 * DAY
    spool.upkeep()
    scrub()
    if spool.location(100) is None:
        assert spool.spool.damaged == set()


@pytest.mark.parametrize("is_archived", [True, False])
def test_a_node_says_that_it_is_degraded_and_the_command_says_what(tmp_path: Path, is_archived: bool) -> None:
    study = make_study(tmp_path / "images", slices=2)
    archive = None if is_archived else 'kind = "dimse"\nae_title = "PACS"\naddress = "127.0.0.1:1"'
    file = write_trust_file(tmp_path / "node", archive=archive)
    with running_node(file) as node:
        assert dcmtk.send([image.path for image in study.files], target_of(node)).ok
        if is_archived:
            left = node.store.studies.instances_to_archive
            wait_until(lambda: node.store.catalogue.study(study.study_instance_uid) is not None, "catalogued")
            wait_until(lambda: not left(study.study_instance_uid), "archived")
    rot_in_spool(tmp_path / "node" / "data", data_set_bytes(study.files[0].path.read_bytes()))
    store = open_node_store(load_node_settings(file))
    with store.database.write() as connection:
        connection.execute(delete(tables.scrubbing))
    store.database.dispose()
    with running_node(file) as node:
        wait_until(lambda: "1 objects in the spool are damaged" in " ".join(node.health().reasons), "degraded")
    said = CliRunner().invoke(command_line(), ["spool", "damaged", str(file)])
    assert said.exit_code == 1
    assert study.files[0].sop_instance_uid in said.output
    assert ("archive, since" in said.output) == is_archived
