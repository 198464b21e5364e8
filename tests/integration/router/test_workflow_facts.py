"""What a node says of procedure steps and of missing instances stands in the ledger, and a person hears of it."""

from dicom_nodes.contract import ProcedureStepChanged, StudyIncomplete
from tests.integration.router.region import Region, settled

NOTICE = "Of 3 instances that were announced for this study, 1 is not here."
INCOMPLETE = StudyIncomplete(study_instance_uid="1.2.3.4", announced_by="PACS", announced=3, missing=1, notice=NOTICE)


def step(state: str, *studies: str) -> ProcedureStepChanged:
    return ProcedureStepChanged.model_validate(
        {
            "procedure_step_uid": "2.25.1",
            "state": state,
            "study_instance_uids": studies,
            "performed_by": "CT1",
            "modality": "CT",
            "series_count": 1,
            "instance_count": 3 if state == "COMPLETED" else None,
        }
    )


def test_a_procedure_step_is_in_the_ledger_of_each_study_it_made(sqlite_region: Region) -> None:
    region = sqlite_region
    both = ("1.2.3.4", "1.2.5")
    region.rxn.say(step("IN PROGRESS", *both), settled(both[0]), settled(both[1]), step("COMPLETED", *both))
    for uid in both:
        events = region.events(uid)
        assert (events[0], events[-1]) == ("procedure_step.changed", "procedure_step.changed")
        assert events.count("procedure_step.changed") == 2


def test_another_trusts_procedure_step_is_not_written_into_the_origins_ledger(sqlite_region: Region) -> None:
    region = sqlite_region
    region.rxn.say(settled())
    before = region.events()
    region.rxl.say(step("COMPLETED", "1.2.3.4"))
    assert region.events() == before


def test_what_is_missing_is_asked_of_a_person_once(sqlite_region: Region) -> None:
    region = sqlite_region
    region.rxn.say(settled(notices=(NOTICE,)), INCOMPLETE, INCOMPLETE)
    (item,) = region.queue("study_notice")
    assert (item["reason"], item["study_instance_uid"]) == (NOTICE, "1.2.3.4")
    assert region.events().count("study.incomplete") == 2


def test_what_is_missing_of_a_study_nobody_knows_is_asked_too(sqlite_region: Region) -> None:
    sqlite_region.rxn.say(INCOMPLETE)
    (item,) = sqlite_region.queue("study_notice")
    assert (item["reason"], item["node"]) == (NOTICE, "RXN")
