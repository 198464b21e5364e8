"""What a refused message says of alerts is found wherever it stands; its identity is believed whole or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_nodes.hl7.refused_claims import claims_of
from dicom_nodes.model.report import AlertCode
from tests.fakes.report_samples import MSH, NHS_NUMBER, OBR, ORC, PID, STUDY_UID, TEXT, UID, oru

ALERT = "OBX|3|CWE|ALERT^Alert^L||CRITICAL^Critical finding^99ALERT||||||F"
CRITICAL = AlertCode("CRITICAL", "99ALERT")


@pytest.mark.parametrize(
    "lines",
    [
        (MSH, PID, ORC, OBR, UID, TEXT, ALERT, "behind a carriage return"),
        (MSH, PID, ORC, OBR, UID, ALERT),
        (MSH.replace("8859", "8859").replace("UNICODE UTF-8", "8859/77"), PID, ORC, OBR, UID, TEXT, ALERT),
        (MSH, PID, PID, ORC, OBR, UID, TEXT, ALERT),
        (PID, ORC, OBR, UID, TEXT, ALERT),
        (MSH, PID, ORC, OBR, UID, TEXT, ALERT.replace("|CWE|", "|ZZ|")),
        (MSH, PID, ORC, OBR, UID, TEXT, ALERT.replace("CRITICAL^", "LOCAL^x^L~CRITICAL^")),
        (MSH, PID, ORC, OBR, UID, TEXT, "OBX|3|CE|A||L1^x^LOCAL^CRITICAL^y^99ALERT||||||F"),
    ],
)
def test_a_code_is_found_whatever_is_wrong_with_the_message(lines: tuple[str, ...]) -> None:
    assert CRITICAL in claims_of(oru(*lines)).alert_codes


def test_the_identity_is_that_of_the_message() -> None:
    identity = claims_of(oru(MSH, PID, ORC, OBR, UID, ALERT)).identity
    assert identity is not None
    assert (identity.study_instance_uid, identity.accession_number, identity.accession_issuer) == (
        STUDY_UID, "RXN000123", "RXN",
    )  # fmt: skip
    assert (identity.nhs_number, identity.patient_id, identity.patient_id_issuer) == (NHS_NUMBER, "H123456", "RXN")


@pytest.mark.parametrize(
    "lines",
    [
        (MSH, PID, PID, ORC, OBR, UID, ALERT),
        (MSH, PID.replace(NHS_NUMBER, "9990000019"), ORC, OBR, UID, ALERT),
        (MSH, PID.replace("19600203", "19609903"), ORC, OBR, UID, ALERT),
        (MSH, PID, ORC, OBR, UID, ALERT, ORC.replace("123", "999"), OBR),
        (MSH, PID, ORC, OBR, UID, UID.replace("0001", "0002"), ALERT),
        (PID, ORC, OBR, UID, ALERT),
        (MSH, PID.replace("H123456", "H" * 257), ORC, OBR, UID, ALERT),
        (MSH, PID, ORC.replace("RXN000123", "9" * 257), OBR, UID, ALERT),
    ],
)
def test_an_identity_with_a_doubt_in_it_is_none(lines: tuple[str, ...]) -> None:
    assert claims_of(oru(*lines)).identity is None


def test_what_was_cut_off_is_not_looked_through_and_half_a_value_is_none() -> None:
    raw = oru(MSH, PID, ORC, OBR, UID, ALERT)
    claims = claims_of(raw[: raw.index(b"99ALERT") + 3], whole=False)
    assert (claims.alert_codes[-1:], claims.looked_through) == ((AlertCode("113014", "DCM"),), False)


@pytest.mark.parametrize("value", ["C" * 65, "CRÍTICO"])
@pytest.mark.parametrize("place", ["value", "scheme"])
def test_a_code_that_cannot_be_read_is_not_looked_through(value: str, place: str) -> None:
    alert = ALERT.replace("CRITICAL^" if place == "value" else "99ALERT", f"{value}^" if place == "value" else value)
    assert claims_of(oru(MSH, PID, ORC, OBR, UID, TEXT, ALERT)).looked_through
    assert not claims_of(oru(MSH, PID, ORC, OBR, UID, TEXT, alert)).looked_through


@given(st.binary(max_size=400))
def test_no_bytes_make_it_fail(raw: bytes) -> None:
    claims_of(raw)
    claims_of(b"MSH|^~\\&|" + raw, whole=False)
