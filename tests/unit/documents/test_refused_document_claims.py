"""What a refused document or message says of itself: whether it may correct or add to an earlier report."""

import pytest
from pydicom.dataset import Dataset

from dicom_nodes.documents.refused_claims import claims_of_document
from dicom_nodes.hl7.refused_claims import claims_of
from tests.fakes.report_samples import LINES, oru
from tests.unit.documents.test_structured_report import EXPLICIT, code, content, encoded, opened


@pytest.mark.parametrize(
    ("said", "instead", "changes"),
    [
        ("||CT|F|", "||CT|F|", False),
        ("||CT|F|", "||CT|P|", False),
        ("||CT|F|", "||CT|C|", True),
        ("||CT|F|", "||CT|corrected|", True),
        ("No haemorrhage.||||||F", "No haemorrhage.||||||C", True),
        ("No haemorrhage.", "ADDENDUM: haemorrhage.", True),
    ],
)
def test_a_message_says_whether_it_may_change_an_earlier_report(said: str, instead: str, changes: bool) -> None:
    raw = oru(*LINES).decode()
    assert said in raw
    assert claims_of(raw.replace(said, instead).encode()).changes is changes


def test_a_message_that_says_no_status_may_change_an_earlier_report() -> None:
    assert claims_of(oru(*(line for line in LINES if line[:3] in {"MSH", "PID"}))).changes


def test_a_document_says_whether_it_may_change_an_earlier_report() -> None:
    first, corrected = opened(), opened()
    corrected.PredecessorDocumentsSequence = [Dataset()]
    added = opened()
    added.ContentSequence = [content("TEXT", "Addendum", TextValue="Bleed.")]
    told = [claims_of_document(encoded(one), EXPLICIT).changes for one in (first, corrected, added)]
    assert told == [False, True, True]


def test_codes_are_found_in_every_branch_and_what_cannot_be_one_counts_as_unseen() -> None:
    document = opened()
    deep = content("CODE", "Alert", ConceptCodeSequence=[code("x", "DEEP", "99ALERT")])
    document.ContentSequence = [
        content("CODE", "Of the whole", "HAS CONCEPT MOD", ConceptCodeSequence=[code("x", "WHOLE", "99ALERT")]),
        content("TEXT", "Finding", TextValue="x", ContentSequence=[content("NUM", "n", ContentSequence=[deep])]),
    ]
    claims = claims_of_document(encoded(document), EXPLICIT)
    assert ([one.value for one in claims.alert_codes], claims.looked_through) == (["WHOLE", "DEEP"], True)
    document.ContentSequence[0].ConceptCodeSequence[0].CodeValue = ""
    claims = claims_of_document(encoded(document), EXPLICIT)
    assert ([one.value for one in claims.alert_codes], claims.looked_through) == (["DEEP"], False)
    assert not claims_of_document(b"no data set", EXPLICIT).looked_through
