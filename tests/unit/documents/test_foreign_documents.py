"""Documents of other systems: sections, nested findings, references, who signs, what corrects; and PDFs."""

from io import BytesIO

import pytest
from pydicom.dataset import Dataset

from dicom_nodes.documents.structured_report import StructuredReports
from dicom_nodes.model.errors import CannotUnderstand
from dicom_nodes.model.report import AlertCode, IncomingReport, ReportAuthor, ReportChannel
from tests.fakes.pdf_samples import pdf_of, picture_pdf
from tests.fakes.report_samples import STUDY_UID
from tests.unit.documents.test_structured_report import EXPLICIT, code, content, encoded, opened

CT = "1.2.840.10008.5.1.4.1.1.2"


def read(document: Dataset) -> IncomingReport:
    return StructuredReports().read(encoded(document), EXPLICIT)


def container(title: str, *children: Dataset) -> Dataset:
    return content("CONTAINER", title, ContentSequence=list(children))


def words(text: str, name: str = "Finding", *below: Dataset) -> Dataset:
    return content("TEXT", name, TextValue=text, ContentSequence=list(below))


def saying(*children: Dataset) -> Dataset:
    document = opened()
    document.ContentSequence = list(children)
    return document


def image(*frames: int) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CT, "1.2.3.4"
    if frames:
        reference.ReferencedFrameNumber = list(frames)
    return content("IMAGE", None, "INFERRED FROM", ReferencedSOPSequence=[reference])


def test_nested_containers_are_set_in_and_references_are_named() -> None:
    by_reference = Dataset()
    by_reference.RelationshipType, by_reference.ReferencedContentItemIdentifier = "INFERRED FROM", [1, 1]
    report = read(
        saying(
            content("CODE", "Procedure reported", "HAS CONCEPT MOD", ConceptCodeSequence=[code("CT chest")]),
            content("CODE", "Patient class", "HAS ACQ CONTEXT", ConceptCodeSequence=[code("Inpatient")]),
            container(
                "Findings",
                words("A nodule.", "Finding", image(), image(1, 3), by_reference),
                container("Left lung", words("Clear."), container("Apex", words("Scar."))),
                content("SCOORD", None, GraphicType="CIRCLE", GraphicData=[1.0, 2.0, 3.0, 4.0]),
                content("PNAME", "Discussed with", PersonName="Lund^Siân"),
            ),
            container(
                "Conclusion", content("UIDREF", "Study", UID="1.2.3"), content("DATETIME", "Due", DateTime="2026")
            ),
        )
    )
    assert report.text.split("\n") == [
        "Procedure reported: CT chest",
        "Patient class: Inpatient",
        "Findings",
        "Finding: A nodule.",
        "Image: CT Image 1.2.3.4",
        "Image: CT Image 1.2.3.4 (frame 1, 3)",
        "See: another item of this document",
        "Left lung",
        "  Finding: Clear.",
        "  Apex",
        "    Finding: Scar.",
        "Region: marked (CIRCLE)",
        "Discussed with: Lund^Siân",
        "Conclusion",
        "Study: 1.2.3",
        "Due: 2026",
    ]
    assert [section.title for section in report.sections] == ["Findings", "Conclusion"]
    assert report.sections[1].text == "Study: 1.2.3\nDue: 2026"


def test_the_subject_of_a_document_is_never_its_words() -> None:
    subject = content("PNAME", "Subject Name", "HAS OBS CONTEXT", PersonName="Marked^Patient")
    subject.ConceptNameCodeSequence = [code("Subject Name", "121029", "DCM")]
    report = read(saying(subject, container("Findings", words("Clear."), words("Normal."))))
    assert report.text == "Findings\nFinding: Clear.\nFinding: Normal."


def test_one_text_is_exactly_the_text_under_its_title_or_its_own_headings() -> None:
    assert (read(saying(container("Findings", words("Clear.")))).sections) == ()
    report = read(saying(container("Impression", words("Clear. "))))
    assert (report.text, [(one.title, one.text) for one in report.sections]) == ("Clear.", [("Impression", "Clear.")])
    report = read(saying(container("Findings", words("FINDINGS:\nclear\nIMPRESSION: normal"))))
    assert [(one.title, one.text) for one in report.sections] == [("FINDINGS", "clear"), ("IMPRESSION", "normal")]


def test_coded_items_are_carried_as_codes() -> None:
    report = read(
        saying(
            container(
                "Findings",
                words("Bleed."),
                content("CODE", "Alert", ConceptCodeSequence=[code("Critical", "CR1", "99RXN")]),
            )
        )
    )
    assert report.alert_codes == (AlertCode("CR1", "99RXN", "Critical"),)
    assert "Alert: Critical" in report.text


def person(name: str, number: str | None, scheme: str = "99UKREG") -> Dataset:
    item = Dataset()
    item.ObserverType, item.PersonName = "PSN", name
    item.PersonIdentificationCodeSequence = [code("Number", number, scheme)] if number else []
    return item


def verifier(name: str, number: str, scheme: str = "99UKREG") -> Dataset:
    item = Dataset()
    item.VerifyingObserverName, item.VerifyingOrganization, item.VerificationDateTime = name, "X", "20260301100000"
    item.VerifyingObserverIdentificationCodeSequence = [code("Number", number, scheme)]
    return item


def test_who_verified_signs_and_others_are_named() -> None:
    document = opened()
    document.AuthorObserverSequence = [person("Trainee^Tom", "C1111111")]
    document.VerifyingObserverSequence = [verifier("Okafor^Ada", "1234567", "GMC")]
    document.ParticipantSequence = [person("Typist^Tess", None)]
    report = read(document)
    assert (report.author_registration, report.author_name) == ("C1234567", "Okafor^Ada")
    assert report.authors == (
        ReportAuthor("C1234567", "Okafor^Ada", "verifier"),
        ReportAuthor("C1111111", "Trainee^Tom", "author"),
        ReportAuthor(None, "Typist^Tess", "assistant"),
    )


def test_who_wrote_and_verified_is_an_author_once() -> None:
    assert read(opened()).authors == (ReportAuthor("C9991234", "Okafor^Ada^^Dr"),)


def test_the_observer_in_the_content_is_the_author_where_no_other_is_said() -> None:
    document = opened()
    del document.AuthorObserverSequence, document.VerifyingObserverSequence
    assert read(document).authors == (ReportAuthor(None, "Okafor^Ada^^Dr"),)


@pytest.mark.parametrize(
    ("completion", "verification", "preliminary", "predecessors", "status"),
    [
        ("COMPLETE", "VERIFIED", "FINAL", False, "F"),
        ("COMPLETE", "VERIFIED", "FINAL", True, "C"),
        ("COMPLETE", "VERIFIED", "PRELIMINARY", True, "P"),
        ("PARTIAL", "VERIFIED", "FINAL", False, "P"),
        ("COMPLETE", "UNVERIFIED", "FINAL", True, "P"),
        ("", "", "", False, "P"),
    ],
)
def test_flags_and_predecessors_say_the_status(
    completion: str, verification: str, preliminary: str, predecessors: bool, status: str
) -> None:
    document = opened()
    document.CompletionFlag, document.VerificationFlag, document.PreliminaryFlag = completion, verification, preliminary
    if predecessors:
        before = Dataset()
        before.StudyInstanceUID, before.ReferencedSeriesSequence = STUDY_UID, []
        document.PredecessorDocumentsSequence = [before]
    assert (read(document).status, read(document).addendum) == (status, False)


def test_a_document_of_which_every_part_is_an_addendum_is_one() -> None:
    assert read(saying(container("Addendum", words("Also a nodule.")))).addendum
    assert not read(saying(container("Findings", words("x")), container("Addendum", words("y")))).addendum
    document = opened()
    document.ConceptNameCodeSequence = [code("Addendum Document", "55107-7", "LN")]
    assert read(document).addendum


def pdf_document(pdf: bytes, **changes: object) -> Dataset:
    document = opened()
    del document.ContentSequence, document.ValueType, document.CompletionFlag
    document.SOPClassUID = "1.2.840.10008.5.1.4.1.1.104.1"
    document.MIMETypeOfEncapsulatedDocument = "application/pdf"
    document.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    document.EncapsulatedDocumentLength = len(pdf)
    for keyword, value in changes.items():
        setattr(document, keyword, value)
    return document


def test_a_pdf_gives_its_text_and_is_kept_whole() -> None:
    pdf = pdf_of("FINDINGS\nSiân: no bleed < 5 mm.\nIMPRESSION\nNormal.")
    report = read(pdf_document(pdf))
    assert report.channel is ReportChannel.ENCAPSULATED_PDF
    assert report.text == "FINDINGS\nSiân: no bleed < 5 mm.\nIMPRESSION\nNormal."
    assert [section.title for section in report.sections] == ["FINDINGS", "IMPRESSION"]
    assert (report.status, report.study_instance_uid, report.author_registration) == ("F", STUDY_UID, "C9991234")
    assert pdf in BytesIO(report.original).read()


def test_a_pdf_that_nobody_verified_is_preliminary() -> None:
    assert read(pdf_document(pdf_of("Clear."), VerificationFlag="UNVERIFIED")).status == "P"


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (pdf_document(pdf_of("x"), MIMETypeOfEncapsulatedDocument="text/xml"), r"\(0042,0012\) is not application/pdf"),
        (pdf_document(b"%PDF-1.4 damaged"), "the PDF is damaged"),
        (pdf_document(picture_pdf()), "picture"),
        (pdf_document(b"no pdf"), "no PDF"),
    ],
)
def test_a_pdf_whose_text_cannot_be_had_is_refused_with_the_reason(document: Dataset, reason: str) -> None:
    with pytest.raises(CannotUnderstand, match=reason):
        read(document)
