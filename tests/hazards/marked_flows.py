"""Marked patient data through every flow of a region of processes, well-formed and broken.

Everything a sender or a failing partner could put into a log holds `MARK`, and a word that says where it stood.
"""

import contextlib
import socket
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import httpx2

from dicom_nodes.contract import FactBatch, NodeHealth
from dicom_nodes.dimse.association import Proposal
from dicom_nodes.dimse.messages import StoreRequest
from dicom_nodes.dimse.requester import AssociationRequester
from dicom_nodes.encoding.walk import EXPLICIT_VR_LITTLE_ENDIAN
from dicom_nodes.hl7.mllp import frame
from dicom_nodes.model.delivery import ApplicationEntity
from readacross.demo.report_messages import BASIC_TEXT_SR, as_oru, as_structured_report, send_oru
from tests.fakes.mllp_peer import exchange
from tests.hazards.marked_region import BIRTH_DATE, MARK, NHS_NUMBER, Watched, refusing_scp
from tests.integration.router.region import received, settled
from tests.network.region import ORIGIN, READER, READING
from tests.peers import dcmtk
from tests.peers.dcmtk import Target
from tests.peers.node import MODALITY
from tests.peers.processes import free_port
from tests.peers.ris import acknowledgement
from tests.synthetic.studies import (
    ImageFile,
    data_set_bytes,
    nhs_number,
    rewritten,
)


def goes_round(watched: Watched) -> None:
    """The whole journey by both kinds of report, with the RIS's and the archive's acknowledgement."""
    region, reading = watched.region, watched.region.nodes[READING]
    by_oru, by_sr = watched.study(), watched.study()
    for study in (by_oru, by_sr):
        assert region.acquire(study).ok
    for study in (by_oru, by_sr):
        watched.claimed(study)
    text = f"{MARK} finding 9 mm.\n{MARK} second line."
    send_oru(as_oru(region.signed(by_oru, text), "M1"), "127.0.0.1", reading.hl7_port)
    file = watched.folder / "report.dcm"
    file.write_bytes(as_structured_report(region.signed(by_sr, text)))
    assert dcmtk.send([file], replace(reading.target, calling="HOME_WS")).ok
    for study in (by_oru, by_sr):
        region.wait_for_state(study, "CLOSED")
    assert all(MARK.encode() in message for message in region.ris.messages)


def queries_and_retrieves(watched: Watched) -> None:
    """Keys that match, keys of no allowed form, levels that do not exist, destinations nobody knows."""
    target = watched.region.nodes[ORIGIN].target
    level = "QueryRetrieveLevel=STUDY"
    _, found = dcmtk.find(target, [level, f"PatientName={MARK}*", "PatientID=", "AccessionNumber=", "StudyDate="])
    assert found, "the marked studies are in the catalogue"
    for keys in (
        [level, f"PatientID={MARK}PID", f"AccessionNumber={MARK}?ACC*", f"PatientComments={MARK}"],
        [level, f"StudyDate={MARK}DATE"],
        [level, f"PatientBirthDate={BIRTH_DATE:%Y%m%d}-{MARK}"],
        [level, f"StudyInstanceUID=1.2.{MARK}"],
        [f"QueryRetrieveLevel={MARK}"],
        [f"PatientName={MARK}"],
        ["QueryRetrieveLevel=SERIES", f"PatientName={MARK}"],
        [level, f"(0009,0010)={MARK}", f"ReferringPhysicianName={MARK}"],
    ):
        dcmtk.find(target, keys)
        dcmtk.find(target, keys, model="-P")
    for keys in ([level], [level, f"StudyInstanceUID={MARK}"], [f"QueryRetrieveLevel={MARK}"]):
        dcmtk.get(target, keys, watched.folder / "got")
        dcmtk.move(target, "NOBODY", keys)
    unlisted = replace(target, calling="HOME_WS")
    dcmtk.find(unlisted, [level, f"PatientName={MARK}"])
    dcmtk.find(replace(target, ae_title="OTHER_NODE"), [level, f"PatientName={MARK}"])


def broken_images(watched: Watched) -> None:
    """Damaged data sets, contradicting and malformed UIDs, missing UIDs, and what is not DICOM at all."""
    target = watched.region.nodes[ORIGIN].target
    study = watched.study(slices=3)
    first, second, third = study.files
    folder = watched.folder / "broken"
    assert dcmtk.send([first.path], target).ok
    for number, broken in enumerate(
        [
            rewritten(first, folder / "other bytes", SeriesDescription=f"{MARK} OTHER"),
            rewritten(second, folder / "other patient", PatientID=f"{MARK}OTHERPID"),
            rewritten(second, folder / "no study", StudyInstanceUID=None),
            rewritten(third, folder / "no series", SeriesInstanceUID=None),
            with_bytes(second, folder / "study uid", study.study_instance_uid, f"1.2.{MARK}"),
            with_bytes(third, folder / "uid announced", third.sop_instance_uid, f"1.2.{MARK}UID", meta=False),
            with_bytes(third, folder / "uid malformed", third.sop_instance_uid, f"1.2.{MARK}UID", meta=True),
        ]
    ):
        answer = dcmtk.send_with_storescu([broken.path], target, *(["-nh"] if number > 4 else []))
        assert "Received Store Response (Success)" not in answer.output, answer.output
    cut = data_set_bytes(third.path.read_bytes())[:-1001]
    for announced in (third.sop_instance_uid, f"1.2.{MARK}"):
        assert store_bytes(target, third.sop_class_uid, announced, cut) >= 0xA000
    strange = with_bytes(second, folder / "strange", f"{BIRTH_DATE:%Y%m%d}", f"{MARK}19")
    assert dcmtk.send_with_storescu([strange.path], target).ok
    for garbage in (f"GET /{MARK} HTTP/1.1\r\n\r\n".encode(), b"\1\0\0\0\0\xff" + MARK.encode() * 50):
        with socket.create_connection(("127.0.0.1", target.port), 5) as connection:
            connection.sendall(garbage)
    dcmtk.echo(replace(target, calling="STRANGER"))


def store_bytes(target: Target, sop_class_uid: str, sop_instance_uid: str, data_set: bytes) -> int:
    """C-STORE of bytes as they are, which DCMTK would not send; the status."""
    to = ApplicationEntity(target.ae_title, target.host, target.port)
    association = AssociationRequester(target.calling)(to, [Proposal(sop_class_uid, (EXPLICIT_VR_LITTLE_ENDIAN,))])
    request = StoreRequest(association.contexts[0], 1, sop_class_uid, sop_instance_uid, data_set)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library does not like the UIDs either
            return association.request(request).status
    finally:
        association.release()


def with_bytes(file: ImageFile, folder: Path, old: str, new: str, *, meta: bool = True) -> ImageFile:
    """The file with a value replaced by bytes of the same length; `meta=False` leaves the file meta as it is."""
    folder.mkdir(parents=True)
    content = file.path.read_bytes()
    filled = new.ljust(len(old), "\0").encode()
    assert len(filled) == len(old)
    data_set = data_set_bytes(content)
    head = content[: len(content) - len(data_set)]
    head = head.replace(old.encode(), filled) if meta else head
    assert old.encode() in data_set
    return _written(file, folder, head + data_set.replace(old.encode(), filled))


def _written(file: ImageFile, folder: Path, content: bytes) -> ImageFile:
    path = folder / file.path.name
    path.write_bytes(content)
    return replace(file, path=path)


def broken_reports(watched: Watched) -> None:
    """ORU^R01 that is cut, unescaped, contradictory, too long, in no known character set, or no HL7 at all."""
    region = watched.region
    port = region.nodes[READING].hl7_port
    study, _ = watched.held
    good = as_oru(region.signed(study, f"{MARK} text"), "B1").decode()
    other_nhs = nhs_number(7778)
    for message in (
        good.replace("MSH|", "PSH|"),
        good.replace("ORU^R01", f"{MARK}^A01"),
        good.replace("UNICODE UTF-8", MARK),
        good.replace(NHS_NUMBER, f"{NHS_NUMBER[:-1]}{(int(NHS_NUMBER[-1]) + 1) % 10}"),
        good.replace("PID|1||", f"PID|1||{other_nhs}^^^NHS^NH~"),
        good.replace(f"{MARK} text", f"{MARK} one\r{MARK} two"),
        good.replace(f"{MARK} text", f"{MARK} one\rQZX|{MARK} two"),
        good.replace(f"{MARK} text", f"{MARK} \\C2842\\{MARK}"),
        good.replace(f"{BIRTH_DATE:%Y%m%d}", f"{MARK}DATE"),
        good.replace(f"{study.study_instance_uid}", f"1.2.{MARK}"),
        good.replace("|FT|", f"|{MARK}|"),
        good.replace("|||F|", f"|||{MARK}|"),
        good.replace("PID|", "PIX|"),
        f"{MARK} {NHS_NUMBER}",
        good.replace("|P|2.5.1|", f"|P|{MARK}|"),
        good.replace(f"{MARK} text", MARK * 400_000),
    ):
        with contextlib.suppress(OSError):
            for answer in exchange(port, frame(message.encode())):
                assert b"MSA|AA" not in answer, message[:2000]
    latin = good.replace("UNICODE UTF-8", "8859/1").replace(f"{MARK} text", f"{MARK} \x81\x9f text")
    exchange(port, frame(latin.encode("latin-1")))
    with contextlib.suppress(OSError):
        exchange(port, f"{MARK} outside of any frame".encode(), frame(good.encode()[:80]))
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(b"\x0b" + good.encode()[:200])
    document = data_set_bytes(as_structured_report(region.signed(study, f"{MARK} report")))
    workstation = replace(region.nodes[READING].target, calling="HOME_WS")
    uid = document[document.index(b"\x08\0\x18\0UI") + 8 :][:64].split(b"\x08\0")[0].strip(b"\0").decode()
    for content in (document[:-5], document.replace(b"\x04\0TEXT", b"\x04\0ABCD")):
        assert store_bytes(workstation, BASIC_TEXT_SR, uid, content) >= 0xA000


def reports_for_nobody(watched: Watched) -> None:
    """Reports that match nothing, or come from a stranger: kept in the human queue."""
    region = watched.region
    study, _ = watched.held
    unknown = replace(study, study_instance_uid="1.2.3.4.5.6.7.8.9", accession_number=f"{MARK}NOACC")
    port = region.nodes[READING].hl7_port
    send_oru(as_oru(region.signed(unknown, f"{MARK} unmatched"), "N1"), "127.0.0.1", port)
    send_oru(as_oru(region.signed(study, f"{MARK} stranger", registration="C1111111"), "N2"), "127.0.0.1", port)
    watched.wait_for_item("report_unmatched")
    watched.wait_for_item("report_not_accepted", study)


def ris_quotes_the_patient(watched: Watched, answer_with: Callable[[Callable[..., bytes]], None]) -> None:
    """The RIS refuses with AE and the patient's data, then answers what is no acknowledgement at all."""
    region = watched.region

    def words(message: bytes, _code: str) -> bytes:
        told = f"|{MARK}FAMILY {NHS_NUMBER} not found\rERR||PID^1|204^{MARK}|E||||{MARK}GIVEN\r".encode()
        return acknowledgement(message, "AE").split(b"|content", 1)[0] + told

    def no_answer(_message: bytes, _code: str) -> bytes:
        return f"MSH|^~\\&|{MARK}|\rMSA|{MARK}|{MARK}\r".encode()

    study, claim = watched.acquired()
    filed = {"transaction_uid": claim["transaction_uid"], "status": "F", "text": f"{MARK} by api"}
    answer_with(words)
    region.call("POST", f"/reads/{claim['read']['id']}/report", READER, filed, expect=201)
    for kind, next_answer in (("report_rejected", no_answer), ("phone_list", acknowledgement)):
        item = watched.wait_for_item(kind, study)
        answer_with(next_answer)
        region.call("POST", f"/human-queue/{item['id']}/resend", body={"note": f"{MARK} mended"})
    region.wait_for_state(study, "CLOSED")


def partners_quote_the_patient(watched: Watched) -> None:
    """A PACS and a workstation that refuse with the patient's data: archive, delivery and C-MOVE.

    Afterwards the reading node keeps these partners.
    """
    region, reading = watched.region, watched.region.nodes[READING]
    pacs_port, workstation_port = free_port(), free_port()
    settings = reading.file.read_text() + MODALITY
    settings = settings.replace(region.pacs[READING].dicom_address, f"127.0.0.1:{pacs_port}")
    reading.file.write_text(settings.replace(region.workstation.address, f"127.0.0.1:{workstation_port}"))
    watched.restart(reading)
    at_pacs, at_workstation = threading.Event(), threading.Event()
    with (
        refusing_scp(f"{READING}_PACS", pacs_port, at_pacs),
        refusing_scp("HOME_WS", workstation_port, at_workstation),
    ):
        own, study = watched.study(origin=READING), watched.study()
        assert dcmtk.send([file.path for file in own.files], reading.target).ok
        assert region.acquire(study).ok
        watched.wait_for_item("order", study)
        watched.wait_for_item("job")
        assert at_pacs.is_set()
        assert at_workstation.is_set()
        keys = ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={own.study_instance_uid}"]
        dcmtk.move(reading.target, "HOME_WS", keys)


def partners_are_off(watched: Watched) -> None:
    """The origin's PACS and the RIS are gone: retries, and what the nodes say of them."""
    region = watched.region
    held, claim = watched.held
    region.ris.stop()
    region.pacs[ORIGIN].kill()
    assert region.acquire(watched.study()).ok
    body = {"transaction_uid": claim["transaction_uid"], "status": "F", "text": f"{MARK} nobody there"}
    region.call("POST", f"/reads/{claim['read']['id']}/report", READER, body, expect=201)
    watched.wait_for_item("phone_list", held)


def strange_calls_of_the_api(watched: Watched) -> None:
    """Bodies, paths and queries that are malformed, unknown or that the database cannot take."""
    region = watched.region
    study, claim = watched.held
    path = f"{region.url}/reads/{claim['read']['id']}/report"
    staff, reader, node = ({"Authorization": f"Bearer {region.tokens[who]}"} for who in ("admin", READER, ORIGIN))
    report = {"transaction_uid": claim["transaction_uid"], "status": "F", "text": f"{MARK}\0nul"}
    with httpx2.Client(timeout=10, trust_env=False) as http:
        answers = [
            http.get(f"{region.url}/ledger", params={"accession_number": study.accession_number}, headers=staff),
            http.get(f"{region.url}/ledger", params={"accession_number": f"{MARK}NONE"}, headers=staff),
            http.get(f"{region.url}/{MARK}/{NHS_NUMBER}", headers=staff),
            http.get(f"{region.url}/reads/{MARK}", headers={"Authorization": f"Bearer {MARK}"}),
            http.post(path, content=f'{{"text": "{MARK}', headers=reader),
            http.post(path, json={**report, "status": MARK, "unknown": MARK}, headers=reader),
            http.post(path, json=report, headers=reader),
            http.post(path, content=b'{"text": "\\ud800", "status": "F", "transaction_uid": "1"}', headers=reader),
            http.post(f"{region.url}/node/v1/facts", json={"facts": [MARK]}, headers=node),
            http.post(
                f"{region.url}/node/v1/facts",
                content=facts_that_the_database_refuses().model_dump_json(),
                headers={**node, "Content-Type": "application/json"},
            ),
        ]
    assert [answer.status_code for answer in answers[:6]] == [200, 404, 404, 401, 422, 422]
    refusals = [answer.text for answer in answers if answer.status_code >= 400]
    assert not any(MARK in text or NHS_NUMBER in text for text in refusals)
    with socket.create_connection(("127.0.0.1", region.router_port), 5) as connection:
        connection.sendall(f"{MARK} {NHS_NUMBER}\r\n\r\n".encode())
        connection.recv(1000)


def facts_that_the_database_refuses() -> FactBatch:
    """A report whose text PostgreSQL cannot store, and a study of which the same is true."""
    patient = settled().study.patient.model_copy(update={"patient_id": f"{MARK}PID", "nhs_number": NHS_NUMBER})
    bodies = (
        received("1.2.3.4.5.6.7", text=f"{MARK} \0 text", patient=patient),
        settled("1.2.3.4.5.6.7.8", description=f"{MARK}\0", patient=patient),
    )
    health = NodeHealth(
        state="ok", reasons=(), free_bytes=1, parked_jobs=0, quarantined=0, outbox_depth=0, outbox_oldest_s=0
    )
    facts = [{"seq": n, "occurred_at": "2026-11-02T09:00:00Z", "body": body} for n, body in enumerate(bodies, 1)]
    return FactBatch.model_validate({"outbox_id": "a-marked-outbox", "facts": facts, "health": health})


FLOWS: Sequence[Callable[[Watched], None]] = (
    goes_round,
    queries_and_retrieves,
    broken_images,
    broken_reports,
    reports_for_nobody,
    strange_calls_of_the_api,
)
