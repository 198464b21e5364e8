"""The images of `readacross bench`, and how it looks at what became of them."""

import hashlib
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_nodes.upper_layer.command_set import decode_command
from dicom_nodes.upper_layer.pdu_decoder import PDataFragment, PduDecoder
from readacross.bench.contestants import Sample, Stored
from readacross.bench.fast_sender import store_request
from readacross.bench.folder_contents import stored_in
from readacross.bench.stock_senders import latencies_in
from readacross.bench.synthetic import KINDS, Study, studies

TINY = KINDS["tiny"]


def data_set(study: Study, number: int) -> bytes:
    instance = study.instance(number)
    return instance.header + bytes(instance.pixels)


@pytest.mark.parametrize("kind", ["ct", "mr", "cr", "tiny"])
def test_an_image_is_what_its_kind_says(kind: str) -> None:
    study = Study(KINDS[kind], "seed", 0, 2)
    read = dcmread(BytesIO(b"\0" * 128 + b"DICM" + data_set(study, 1)), force=True)
    assert read.SOPClassUID == KINDS[kind].sop_class_uid
    assert (read.SOPInstanceUID, read.StudyInstanceUID) == (study.sop_instance_uid(1), study.study_instance_uid)
    assert (read.InstanceNumber, read.Modality) == (2, KINDS[kind].modality)
    assert len(read.PixelData) == read.Rows * read.Columns * 2 == KINDS[kind].pixel_bytes
    assert study.size_bytes == 2 * len(data_set(study, 0))


def test_no_two_images_have_the_same_uid_or_pixels() -> None:
    made = [instance for study in studies(TINY, "seed", 3, 60) for instance in study.instances()]
    assert len({instance.sop_instance_uid for instance in made}) == 60
    assert len({hashlib.blake2b(instance.pixels).hexdigest() for instance in made}) == 60


def test_a_seed_gives_the_same_bytes_in_every_process_and_another_seed_others() -> None:
    assert data_set(Study(TINY, "seed", 1, 9), 4) == data_set(Study(TINY, "seed", 1, 9), 4)
    assert Study(TINY, "seed", 1, 9).sop_instance_uid(4) != Study(TINY, "other", 1, 9).sop_instance_uid(4)


def test_every_association_gets_a_study_of_the_same_size() -> None:
    assert [(study.number, study.count) for study in studies(TINY, "s", 3, 10)] == [(0, 4), (1, 4), (2, 4)]


def test_files_hold_the_bytes_that_are_sent(tmp_path: Path) -> None:
    study = Study(TINY, "seed", 0, 3)
    files = study.write_files(tmp_path)
    assert dcmread(files[2]).SOPInstanceUID == study.sop_instance_uid(2)
    assert files[2].read_bytes().endswith(data_set(study, 2))
    stored = stored_in(tmp_path, {study.sop_instance_uid(2)})
    assert stored == Stored(3, {study.sop_instance_uid(2): study.instance(2).digest})


@pytest.mark.parametrize("peer_maximum", [4096, 16384, 262144, 0])
def test_a_prepared_request_is_the_message_whatever_the_peer_takes(peer_maximum: int) -> None:
    study = Study(KINDS["mr"], "seed", 0, 1)
    buffers = store_request(7, study.instance(0), study.kind, peer_maximum)
    decoder, data, command = PduDecoder(peer_maximum or None), bytearray(), bytearray()
    decoder.takes_data = True
    decoder.receive(b"".join(buffers))
    while (event := decoder.next()) is not None:
        assert isinstance(event, PDataFragment)
        (command if event.is_command else data).extend(event.data)
        last = event.is_last
    assert bytes(data) == data_set(study, 0)
    assert last
    assert decode_command(command).message_id == 7


def test_what_is_missing_or_has_other_content_is_a_fault() -> None:
    made = studies(TINY, "seed", 2, 8)
    sample = Sample(made, 2)
    digests = {study.sop_instance_uid(n): study.instance(n).digest for study in made for n in range(study.count)}
    assert sample.fault_in(Stored(8, digests)) is None
    assert sample.fault_in(Stored(7, digests)) == "7 of 8 instances stored"
    compared = "of the instances compared"
    first, second = sample.uids[:2]
    swapped = digests | {first: digests[second], second: digests[first]}
    assert sample.fault_in(Stored(8, swapped)) == f"{compared}, 2 have another content and 0 are not there"
    del digests[first]
    assert sample.fault_in(Stored(8, digests)) == f"{compared}, 0 have another content and 1 are not there"


def test_a_sample_reaches_over_the_whole_study() -> None:
    study = Study(TINY, "seed", 0, 100)
    assert list(Sample([study], 4).numbers(study)) == [0, 25, 50, 75]
    assert list(Sample([study], 1000).numbers(study)) == list(range(100))


def test_latencies_are_read_from_the_log_of_a_stock_sender(tmp_path: Path) -> None:
    log = tmp_path / "sender.log"
    log.write_text(
        "1700000000.100 Requesting Association\n"
        "1700000000.200 Sending Store Request (MsgID 1, CT)\n"
        "1700000000.244 Received Store Response (Success)\n"
        "1700000001.000 Sending C-STORE Request (MsgID 2, CT)\n"
        "1700000001.001 Received C-STORE Response (Success)\n"
        "1700000002.000 Sending Store Request (MsgID 3, CT)\n"
    )
    assert latencies_in(log) == pytest.approx([0.044, 0.001], abs=1e-5)
