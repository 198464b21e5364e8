"""Several instances of one study kept at once: none of them slips in for another patient."""

import threading

from dicom_nodes.flows.study_claims import StudyClaims
from dicom_nodes.model.errors import CannotUnderstand
from dicom_nodes.model.study import StudyOwner
from dicom_nodes.rules.ingest import KeepAside, Take, Verdict


def owner(patient_id: str | None, nhs_number: str | None = None) -> StudyOwner:
    return StudyOwner("RXN", "RXN" if patient_id else None, patient_id, nhs_number, None, None)


def judge(said: StudyOwner, known: StudyOwner | None) -> Verdict:
    if known is None or known.patient_id in {None, said.patient_id}:
        return Take()
    return KeepAside(CannotUnderstand("another patient"))


def test_a_second_patient_is_seen_while_the_first_is_still_being_kept() -> None:
    claims = StudyClaims(lambda _study: None)
    assert isinstance(claims.judged("1.2", owner("A"), lambda known: judge(owner("A"), known)), Take)
    assert isinstance(claims.judged("1.2", owner("B"), lambda known: judge(owner("B"), known)), KeepAside)
    assert isinstance(claims.judged("1.3", owner("B"), lambda known: judge(owner("B"), known)), Take)


def test_what_was_not_kept_after_all_claims_nothing() -> None:
    claims = StudyClaims(lambda _study: None)
    claims.judged("1.2", owner("A"), lambda known: judge(owner("A"), known))
    claims.release("1.2", owner("A"))
    assert isinstance(claims.judged("1.2", owner("B"), lambda known: judge(owner("B"), known)), Take)


def test_a_study_stays_claimed_until_the_last_of_its_instances_is_noted() -> None:
    claims = StudyClaims(lambda _study: None)
    for _ in range(2):
        claims.judged("1.2", owner("A"), lambda known: judge(owner("A"), known))
    claims.release("1.2", owner("A"))
    assert isinstance(claims.judged("1.2", owner("B"), lambda known: judge(owner("B"), known)), KeepAside)


def test_of_many_at_once_only_one_patient_gets_the_study() -> None:
    claims = StudyClaims(lambda _study: None)
    start = threading.Barrier(16)
    taken: list[str] = []

    def claim(patient_id: str) -> None:
        start.wait()
        said = owner(patient_id)
        if isinstance(claims.judged("1.2", said, lambda known: judge(said, known)), Take):
            taken.append(patient_id)

    threads = [threading.Thread(target=claim, args=(f"P{number % 4}",)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 4
    assert len(set(taken)) == 1
