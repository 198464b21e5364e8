"""A report goes back to its origin only, by each channel once, and is completed only by all acknowledgements."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date

import pytest

from dicom_nodes import contract
from dicom_nodes.contract import OrderCompleted
from dicom_nodes.documents.structured_report import StructuredReports
from dicom_nodes.model.errors import NothingSent, PeerRefused, PeerUnavailable
from dicom_nodes.model.loss import Loss, LossKind
from dicom_nodes.model.report import AckCode, Acknowledgement, OutgoingReport
from dicom_nodes.model.study import StudyRecord
from tests.fakes.report_desk import HEADER, PATIENT, Desk
from tests.fakes.report_fakes import MemoryRis, leased_job
from tests.fakes.report_samples import NHS_NUMBER


def test_a_report_goes_to_both_channels_and_is_completed() -> None:
    desk = Desk()
    desk.run()
    (uid,) = desk.archive.kept
    assert desk.orders.acknowledged["order-1"] == {"ris": ("AA", "CONTROL-1"), "archive": ("0000", uid)}
    done = OrderCompleted(order_id="order-1", channels=("archive", "ris"))
    assert desk.orders.completed == [("order-1", (done,))]
    (report,) = desk.ris.received
    assert (report.patient_name, report.patient_sex, report.modality) == ("O'Brien^Siân", "F", "CT")
    assert (report.patient_id_issuer, report.accession_issuer) == ("RXN", "RXN")
    assert StructuredReports().read(desk.archive.kept[uid], "1.2.840.10008.1.2.1").text == report.text


def test_every_step_is_announced_after_it_is_done() -> None:
    desk = Desk()
    desk.run()
    assert desk.steps == [
        "return.ris_answered", "return.ris_recorded", "return.archive_answered", "return.archive_recorded",
        "return.completed",
    ]  # fmt: skip


def test_a_report_for_another_trust_is_refused() -> None:
    desk = Desk(origin="RXL")
    with pytest.raises(PeerRefused, match="is for RXL, this node stands for RXN"):
        desk.run()
    assert desk.nothing_happened


def test_a_report_on_images_that_another_trust_made_is_refused() -> None:
    desk = Desk()
    desk.record = StudyRecord(HEADER, "RXL", "NODE", ("CT",), (), 1)
    with pytest.raises(PeerRefused, match="are RXL's"):
        desk.run()
    assert desk.nothing_happened


def test_a_report_without_its_images_here_is_refused() -> None:
    desk = Desk()
    desk.record = None
    with pytest.raises(PeerRefused, match="no images"):
        desk.run()
    assert desk.nothing_happened


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"patient_id": "H999"}, "patient id"),
        ({"nhs_number": "9990000026"}, "NHS number"),
        ({"birth_date": date(1960, 2, 4)}, "birth date"),
    ],
)
def test_a_report_whose_patient_is_not_the_images_patient_is_refused(changed: dict[str, object], words: str) -> None:
    desk = Desk(patient=PATIENT.model_copy(update=changed))
    with pytest.raises(PeerRefused, match=f"the report's {words} differs") as caught:
        desk.run()
    assert desk.nothing_happened
    assert not [str(value) for value in changed.values() if str(value) in str(caught.value)]


@pytest.mark.parametrize("code", [AckCode.AE, AckCode.AR])
def test_a_refusal_by_the_ris_parks_with_its_words(code: AckCode) -> None:
    desk = Desk()
    desk.ris.answer = Acknowledgement(code, "C", "OBR-4: procedure not known")
    with pytest.raises(PeerRefused, match=f"the RIS answered {code}: OBR-4: procedure not known"):
        desk.run()
    assert set(desk.orders.acknowledged["order-1"]) == {"archive"}
    assert desk.orders.completed == []


def test_words_of_the_ris_that_name_the_patient_are_kept_at_the_node_only() -> None:
    desk = Desk()
    words = "Patient Sian O'BRIEN (NHS 999 000 0018, dob 03/02/1960) is deceased"
    desk.ris.answer = Acknowledgement(AckCode.AE, "C", words)
    with pytest.raises(PeerRefused, match="the RIS answered AE: its words may name the patient") as caught:
        desk.run()
    assert not [word for word in ("Sian", "BRIEN", "999", "1960", "deceased") if word in str(caught.value)]
    assert desk.orders.refused == {"order-1": {"ris": ("AE", words)}}
    assert "may name the patient" in (desk.orders.told["order-1"]["ris"] or "")


def test_a_ris_that_refuses_without_a_word_gives_no_reason() -> None:
    desk = Desk()
    desk.ris.answer = Acknowledgement(AckCode.AR, "C", "")
    with pytest.raises(PeerRefused, match="the RIS answered AR: gives no reason"):
        desk.run()


def test_an_acknowledged_channel_is_not_sent_again() -> None:
    desk = Desk()
    desk.ris.failure = PeerUnavailable("the RIS is away")
    with pytest.raises(PeerUnavailable, match="is away"):
        desk.run()
    assert set(desk.orders.acknowledged["order-1"]) == {"archive"}
    desk.archive.kept.clear()
    desk.ris.failure = None
    desk.run()
    assert desk.archive.kept == {}
    assert set(desk.orders.acknowledged["order-1"]) == {"archive", "ris"}
    assert len(desk.orders.completed) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [(None, PeerUnavailable), (0xA700, PeerUnavailable), (0xA900, PeerRefused), (0x0122, PeerRefused)],
)
def test_an_archive_that_does_not_keep_it_leaves_the_order_open(status: int | None, error: type[Exception]) -> None:
    desk = Desk()
    desk.archive.status = status
    with pytest.raises(error, match="PACS of the test"):
        desk.run()
    assert set(desk.orders.acknowledged["order-1"]) == {"ris"}
    assert desk.orders.completed == []


def test_a_channel_that_refuses_for_good_leaves_another_its_attempts() -> None:
    desk = Desk()
    desk.ris.failure = PeerUnavailable("later")
    desk.archive.failure = PeerRefused("never")
    with pytest.raises(PeerRefused, match="never"):
        desk.run(channels=("archive",))
    with pytest.raises(PeerUnavailable, match="later"):
        desk.run(channels=("ris",))
    desk.ris.failure = None
    desk.run(channels=("ris",))
    assert set(desk.orders.acknowledged["order-1"]) == {"ris"}
    assert desk.orders.completed == []


def test_a_channel_that_the_trust_does_not_have_parks() -> None:
    desk = Desk()
    with pytest.raises(PeerRefused, match=r"sets no channel fhir \(reports.channels\)"):
        desk.run(channels=("fhir",))
    assert desk.nothing_happened


def test_what_a_channel_could_not_carry_is_kept_with_its_acknowledgement() -> None:
    desk = Desk()
    loss = Loss(LossKind.LAYOUT, "line ends", changes_meaning=False)
    desk.ris.answer = Acknowledgement(AckCode.AA, "C", losses=(loss,))
    desk.run()
    assert desk.orders.losses["order-1"] == {"ris": ("layout: line ends",), "archive": ()}


def test_an_addendum_goes_with_the_report_it_is_added_to() -> None:
    desk = Desk()
    desk.also("order-2", version=2, addendum=True, text="Rib fracture.", standing_text="No haemorrhage.")
    desk.run()
    desk.run("order-2")
    report = desk.ris.received[-1]
    assert report.text == (
        "No haemorrhage.\n\nAddendum by Ada Okafor (C9991234), 1 March 2026, 10:00 GMT:\nRib fracture."
    )
    assert (report.status, report.addendum, report.addition) == ("C", True, "Rib fracture.")


def test_an_addendum_without_its_report_is_never_sent_in_its_place() -> None:
    desk = Desk()
    desk.also("order-2", version=2, addendum=True, text="Rib fracture.")
    with pytest.raises(PeerRefused, match="an addendum came without the report"):
        desk.run("order-2")
    assert desk.nothing_happened


def test_a_trust_without_ris_gets_the_document_and_a_person_is_told() -> None:
    desk = Desk()
    desk.ris = None
    with pytest.raises(PeerRefused, match=r"no RIS is set \(\[ris\]"):
        desk.run()
    assert set(desk.orders.acknowledged["order-1"]) == {"archive"}
    assert desk.orders.completed == []


def test_identifiers_are_those_of_the_images() -> None:
    desk = Desk(patient=contract.PatientIdentity(issuer=None, patient_id=None))
    desk.record = replace(desk.record, header=replace(HEADER, accession_number="RXN777", patient_id_issuer="RXN"))
    desk.run()
    (report,) = desk.ris.received
    assert (report.accession_number, report.patient_id, report.nhs_number) == ("RXN777", "H123456", NHS_NUMBER)


def test_an_older_version_is_never_sent_after_a_newer_one() -> None:
    desk = Desk()
    desk.also("order-2", version=2, text="Large haemorrhage.")
    desk.run("order-2")
    with pytest.raises(PeerRefused, match=r"not sent to the ris: a newer version \(2\) was already filed"):
        desk.run("order-1")
    assert [report.version for report in desk.ris.received] == [2]
    assert len(desk.archive.kept) == 1
    assert [order_id for order_id, _ in desk.orders.completed] == ["order-2"]


def test_a_channel_that_has_filed_nothing_newer_still_gets_the_older_version() -> None:
    desk = Desk()
    desk.also("order-2", version=2)
    desk.archive.failure = PeerUnavailable("later")
    with pytest.raises(PeerUnavailable):
        desk.run("order-2")
    desk.archive.failure = None
    with pytest.raises(PeerRefused, match="not sent to the ris"):
        desk.run("order-1")
    assert set(desk.orders.acknowledged["order-1"]) == {"archive"}


def test_no_older_version_follows_a_newer_one_whose_answer_was_lost() -> None:
    desk = Desk()
    desk.also("order-2", version=2)
    desk.ris.failure = PeerUnavailable("no answer")
    with pytest.raises(PeerUnavailable):
        desk.run("order-2")
    desk.ris.failure = None
    with pytest.raises(PeerUnavailable, match=r"not sent to the ris yet: a newer version \(2\) may be there"):
        desk.run("order-1")
    desk.run("order-2")
    with pytest.raises(PeerRefused, match=r"a newer version \(2\) was already filed"):
        desk.run("order-1")
    assert [report.version for report in desk.ris.received] == [2]


@pytest.mark.parametrize("answer", [AckCode.AE, AckCode.AR])
def test_a_newer_version_that_was_plainly_refused_keeps_no_older_one_back(answer: AckCode) -> None:
    desk = Desk()
    desk.also("order-2", version=2)
    desk.ris.answer = Acknowledgement(answer, "CONTROL-1")
    with pytest.raises(PeerRefused):
        desk.run("order-2", ("ris",))
    desk.ris.answer = Acknowledgement(AckCode.AA, "CONTROL-1")
    desk.run("order-1", ("ris",))
    assert [report.version for report in desk.ris.received] == [2, 1]


def test_a_newer_version_that_found_no_connection_keeps_no_older_one_back() -> None:
    desk = Desk()
    desk.also("order-2", version=2)
    desk.ris.failure = NothingSent("nothing listens there")
    with pytest.raises(NothingSent):
        desk.run("order-2", ("ris",))
    desk.ris.failure = None
    desk.run("order-1", ("ris",))
    assert [report.version for report in desk.ris.received] == [1]


def test_no_connection_for_a_repeat_says_nothing_of_the_first_sending() -> None:
    desk = Desk()
    desk.also("order-2", version=2)
    for failure in (PeerUnavailable("no answer"), NothingSent("nothing listens there")):
        desk.ris.failure = failure
        with pytest.raises(PeerUnavailable):
            desk.run("order-2", ("ris",))
    desk.ris.failure = None
    with pytest.raises(PeerUnavailable, match="may be there"):
        desk.run("order-1", ("ris",))


def test_the_plain_no_to_a_third_version_says_nothing_of_the_second() -> None:
    desk = Desk()
    desk.also("order-2", version=2)
    desk.also("order-3", version=3)
    desk.ris.failure = PeerUnavailable("no answer")
    with pytest.raises(PeerUnavailable):
        desk.run("order-2", ("ris",))
    desk.ris.failure, desk.ris.answer = None, Acknowledgement(AckCode.AE, "CONTROL-1")
    with pytest.raises(PeerRefused):
        desk.run("order-3", ("ris",))
    with pytest.raises(PeerUnavailable, match=r"a newer version \(2\) may be there"):
        desk.run("order-1", ("ris",))


def test_the_refusal_of_a_repeat_may_mean_that_it_is_there() -> None:
    desk = Desk()
    desk.also("order-2", version=2)
    desk.ris.failure = PeerUnavailable("no answer")
    with pytest.raises(PeerUnavailable):
        desk.run("order-2")
    desk.ris.failure, desk.ris.answer = None, Acknowledgement(AckCode.AE, "CONTROL-1", "duplicate")
    with pytest.raises(PeerRefused):
        desk.run("order-2")
    with pytest.raises(PeerUnavailable, match="may be there"):
        desk.run("order-1")


def test_a_preliminary_report_never_follows_a_final_one() -> None:
    desk = Desk()
    desk.also("order-2", version=2, status="P")
    desk.run()
    with pytest.raises(PeerRefused, match="a final report was already filed, and this one has status P"):
        desk.run("order-2")
    assert [report.status for report in desk.ris.received] == ["F"]


def test_the_same_version_may_be_sent_again_by_another_order() -> None:
    desk = Desk()
    desk.also("order-2")
    desk.run()
    desk.run("order-2")
    assert [report.version for report in desk.ris.received] == [1, 1]


def test_a_newer_version_that_is_on_its_way_holds_an_older_one_back() -> None:
    desk = Desk()
    desk.also("order-2", version=2)
    sending, answered = threading.Event(), threading.Event()

    class SlowRis(MemoryRis):
        def send(self, report: OutgoingReport) -> Acknowledgement:
            if report.version == 2:
                sending.set()
                answered.wait(10)
            return super().send(report)

    desk.ris = SlowRis()
    flow = desk.flow()
    with ThreadPoolExecutor(2) as pool:
        newer = pool.submit(flow, leased_job("order-2/ris"))
        assert sending.wait(10)
        older = pool.submit(flow, leased_job("order-1/ris"))
        with pytest.raises(TimeoutError):
            older.result(0.2)
        answered.set()
        newer.result(10)
        with pytest.raises(PeerRefused, match="newer version"):
            older.result(10)
    assert [report.version for report in desk.ris.received] == [2]


def test_a_report_goes_out_under_the_number_that_the_patient_has_now() -> None:
    desk = Desk()
    now = contract.PatientIdentity(issuer="RXN", patient_id="H900900")
    desk.also("order-2", present_patient=now)
    desk.run("order-2")
    assert desk.ris is not None
    (report,) = desk.ris.received
    assert (report.patient_id, report.patient_id_issuer) == ("H900900", "RXN")
    assert (report.nhs_number, report.birth_date) == (NHS_NUMBER, date(1960, 2, 3)), "what ADT did not say stays"
    desk.also("order-3", present_patient=PATIENT)
    desk.run("order-1", ("ris",))
    desk.run("order-3", ("ris",))
    assert [bool(report.moved_to) for report in desk.ris.received] == [True, False, False]
