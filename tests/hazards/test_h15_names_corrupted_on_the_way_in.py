"""Hazard 15, way in: names keep every letter from each form and character set to the router, or are refused."""

import json
from pathlib import Path

import pytest

from dicom_nodes.hl7.faults import Hl7Fault
from dicom_nodes.hl7.oru import read_oru
from dicom_nodes.model.errors import CannotUnderstand
from tests.fakes.fhir_samples import GMC, diagnostic_report
from tests.fakes.report_samples import MSH, OBR, ORC, PID, TEXT, field, oru
from tests.hazards.test_h14_report_text_corrupted_on_the_way_in import told
from tests.integration.router.region import Region
from tests.unit.documents.test_structured_report import DOCUMENTS, EXPLICIT, encoded, opened

NAMES = {
    "utf-8": ["Łukasz^Zażółć", "O'Brien^Siân", "عبد^الله", "李^小龍"],
    "latin-1": ["O'Brien^Siân", "Müller^Zoë"],
    "iso8859-2": ["Łukasz^Zażółć"],
}
MSH_18 = {"utf-8": "UNICODE UTF-8", "latin-1": "8859/1", "iso8859-2": "8859/2"}
DICOM = {"utf-8": "ISO_IR 192", "latin-1": "ISO_IR 100", "iso8859-2": "ISO_IR 101"}
CASES = [(codec, name) for codec, names in NAMES.items() for name in names]


def message(codec: str, name: str, declared: str) -> bytes:
    msh, pid = MSH.replace("UNICODE UTF-8", declared), PID.replace("Siân", "Jo")
    return oru(msh, pid, ORC, field(OBR, 32, f"C1000001&{name.replace('^', '&')}"), TEXT, charset=codec)


def kept_names(region: Region) -> list[str]:
    return [report["author_name"] for report in region.get("/reports")]


def test_names_by_hl7(region: Region, tmp_path: Path) -> None:
    reports = [read_oru(message(codec, name, MSH_18[codec])) for codec, name in CASES]
    assert [report.author_name for report in reports] == [name for _, name in CASES]
    region.rxl.say(*told(tmp_path, *reports))
    assert sorted(kept_names(region)) == sorted(name for _, name in CASES)


def test_names_by_structured_report(sqlite_region: Region, tmp_path: Path) -> None:
    reports = []
    for codec, name in CASES:
        document = opened(patient_name="Doe")
        document.SpecificCharacterSet = DICOM[codec]
        document.VerifyingObserverSequence[0].VerifyingObserverName = name
        document.AuthorObserverSequence[0].PersonName = name
        document.SOPInstanceUID = f"2.25.{len(reports) + 1}"
        reports.append(DOCUMENTS.read(encoded(document), EXPLICIT))
    assert [report.author_name for report in reports] == [name for _, name in CASES]
    sqlite_region.rxl.say(*told(tmp_path, *reports))
    assert sorted(kept_names(sqlite_region)) == sorted(name for _, name in CASES)


def test_names_by_fhir(sqlite_region: Region) -> None:
    for name in NAMES["utf-8"]:
        family, given = name.split("^")
        person = {"resourceType": "Practitioner", "id": "r", "name": [{"family": family, "given": [given]}]}
        person |= {"identifier": [{"system": GMC, "value": "C1000001"}]}
        patient = diagnostic_report()["contained"][0]
        body = json.dumps(diagnostic_report(contained=[patient, person], basedOn=None), ensure_ascii=False).encode()
        headers = {**sqlite_region.rxl.headers, "Content-Type": "application/fhir+json"}
        assert sqlite_region.client.post("/fhir/DiagnosticReport", content=body, headers=headers).status_code == 202
    assert sorted(kept_names(sqlite_region)) == sorted(NAMES["utf-8"])


@pytest.mark.parametrize(
    ("codec", "declared"), [("latin-1", "UNICODE UTF-8"), ("latin-1", ""), ("latin-1", "ASCII"), ("cp1252", "8859/1")]
)
def test_a_name_in_another_character_set_than_declared_is_refused_not_guessed(codec: str, declared: str) -> None:
    name = "Siân^“Jo”" if codec == "cp1252" else "Siân^Jo"
    with pytest.raises(Hl7Fault, match="OBR-32"):
        read_oru(message(codec, name, declared))


def test_a_document_whose_bytes_its_character_set_does_not_have_is_refused() -> None:
    document = encoded(opened(author_name="Łukasz^Z", patient_name="Doe")).replace(b"ISO_IR 192", b"ISO_IR 6  ")
    with pytest.raises(CannotUnderstand, match="holds bytes"):
        DOCUMENTS.read(document, EXPLICIT)
