"""What answers count or gather beyond their row, for a page of rows in one statement each."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from dicom_nodes.spool.tables import instance, instance_kind, patient_id_text, patient_issuer_text, series, study


def counted(
    connection: Connection, keywords: frozenset[str], identities: Sequence[tuple[Any, ...]]
) -> Iterable[dict[str, str]]:
    """The values of these keywords for each identity (Patient ID, issuer, Study Instance UID), in their order."""
    counts: list[dict[str, str]] = [{} for _ in identities]
    if "SOPClassesInStudy" in keywords:
        classes = _sop_classes(connection, {identity[2] for identity in identities})
        for identity, values in zip(identities, counts, strict=True):
            values["SOPClassesInStudy"] = "\\".join(sorted(classes.get(identity[2], ())))
    patient_keywords = keywords - {"SOPClassesInStudy"}
    if patient_keywords:
        sums = _patient_sums(connection, identities)
        for identity, values in zip(identities, counts, strict=True):
            of_patient = sums[_patient(identity)]
            values.update({keyword: str(of_patient[keyword]) for keyword in patient_keywords})
    return counts


def _sop_classes(connection: Connection, study_instance_uids: Iterable[str]) -> dict[str, set[str]]:
    kinds = (
        select(series.c.study_instance_uid, instance.c.kind_key)
        .join(instance, instance.c.series_key == series.c.series_key)
        .where(series.c.study_instance_uid.in_(list(study_instance_uids)))
        .distinct()
        .subquery()
    )
    statement = select(kinds.c.study_instance_uid, instance_kind.c.sop_class_uid).join(
        instance_kind, instance_kind.c.kind_key == kinds.c.kind_key
    )
    found: dict[str, set[str]] = {}
    for study_instance_uid, sop_class_uid in connection.execute(statement).tuples():
        found.setdefault(study_instance_uid, set()).add(sop_class_uid)
    return found


def _patient(identity: tuple[Any, ...]) -> tuple[Any, ...]:
    """(Patient ID, issuer); a study without an id is a patient of its own."""
    return identity[:2] if identity[0] else ("", "", identity[2])


def _patient_sums(
    connection: Connection, identities: Iterable[tuple[Any, ...]]
) -> dict[tuple[Any, ...], dict[str, int]]:
    sums = (func.count(), func.sum(study.c.series_count), func.sum(study.c.instance_count))
    patients = {_patient(identity) for identity in identities}
    ids = [patient[0] for patient in patients if patient[0]]
    nobodies = [patient[2] for patient in patients if not patient[0]]
    by_id = select(patient_id_text, patient_issuer_text, *sums).where(patient_id_text.in_(ids))
    by_study = select(study.c.study_instance_uid, *sums).where(study.c.study_instance_uid.in_(nobodies))
    found: dict[tuple[Any, ...], dict[str, int]] = {}
    for patient_id, issuer, *numbers in connection.execute(by_id.group_by(patient_id_text, patient_issuer_text)):
        found[patient_id, issuer] = _named(numbers)
    for uid, *numbers in connection.execute(by_study.group_by(study.c.study_instance_uid)) if nobodies else ():
        found["", "", uid] = _named(numbers)
    return found


def _named(numbers: Sequence[Any]) -> dict[str, int]:
    names = ("NumberOfPatientRelatedStudies", "NumberOfPatientRelatedSeries", "NumberOfPatientRelatedInstances")
    return {name: int(number or 0) for name, number in zip(names, numbers, strict=True)}
