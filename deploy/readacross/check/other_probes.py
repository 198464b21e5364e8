"""Ask the partners that are no DICOM ones: a RIS by MLLP, an Orthanc by REST, FHIR and the router by HTTPS."""

import socket
from datetime import UTC, datetime

import httpx2

from dicom_nodes.config import NodeSettings, OrthancArchive, Ris
from dicom_nodes.fhir.endpoint import tls_context
from dicom_nodes.foundation.settings_file import split_host_port
from dicom_nodes.report_settings import FhirEndpoint
from readacross.check.outcome import Answer

TIMEOUT_S = 10.0
_START, _END = b"\x0b", b"\x1c\r"


def ris(settings: Ris, ods_code: str) -> Answer:
    """Send a network status query (NMQ^N01, HL7 v2.5.1 ch. 14), which no RIS files; any acknowledgement is life."""
    address = split_host_port(settings.address)
    now = datetime.now(UTC)
    fields = ["MSH", "^~\\&", settings.sending_application, ods_code, settings.receiving_application, ods_code]
    fields += [f"{now:%Y%m%d%H%M%S}+0000", "", "NMQ^N01", f"CHECK{now:%H%M%S%f}", settings.processing_id]
    message = "|".join([*fields, settings.version]) + "\rNST|N\r"
    try:
        with socket.create_connection(address, timeout=TIMEOUT_S) as connection:
            connection.sendall(_START + message.encode("ascii") + _END)
            answer = _frame(connection)
    except TimeoutError:
        return Answer("MLLP", False, f"no answer within {TIMEOUT_S:g} s from {settings.address}")
    except OSError as error:
        return Answer("MLLP", False, f"cannot be reached at {settings.address}: {error.strerror or 'no such host'}")
    if answer is None:
        return Answer("MLLP", False, "takes the connection, hangs up without an acknowledgement")
    code = _acknowledgement_code(answer)
    if code is None:
        return Answer("MLLP", False, "answers something that is no HL7 acknowledgement: is this a RIS's MLLP port?")
    return Answer("MLLP", True, f"acknowledges ({code} to a status query; a report is not sent by a check)")


def _frame(connection: socket.socket) -> bytes | None:
    received = b""
    while _END not in received and len(received) < 65_536:
        chunk = connection.recv(4096)
        if not chunk:
            return None
        received += chunk
    return received


def _acknowledgement_code(answer: bytes) -> str | None:
    for segment in answer.strip(_START + _END).split(b"\r"):
        fields = segment.split(b"|")
        if fields[0] == b"MSA" and len(fields) > 1 and fields[1] in {b"AA", b"AE", b"AR", b"CA", b"CE", b"CR"}:
            return fields[1].decode()
    return None


def orthanc(archive: OrthancArchive) -> Answer:
    """Read /system and say which Orthanc it is."""
    auth = None
    if archive.username is not None and archive.password_file is not None:
        auth = (archive.username, archive.password_file.read_text(encoding="utf-8").strip())
    try:
        with httpx2.Client(timeout=TIMEOUT_S, auth=auth) as http:
            answer = http.get(f"{archive.url.rstrip('/')}/system")
    except httpx2.HTTPError as error:
        return Answer("REST", False, f"cannot be reached at {archive.url}: {_why(error)}")
    if answer.status_code in {401, 403}:
        return Answer("REST", False, "refuses our user: see archive.username and archive.password_file")
    if answer.status_code != 200 or "Version" not in answer.text:
        return Answer("REST", False, f"answers {answer.status_code} to /system: is this an Orthanc?")
    return Answer("REST", True, f"is Orthanc {answer.json()['Version']}")


def fhir(endpoint: FhirEndpoint) -> Answer:
    """Read /metadata with our token, and say which FHIR it speaks; no report is sent by a check."""
    headers = {"Accept": "application/fhir+json"}
    if endpoint.token_file is not None:
        headers["Authorization"] = f"Bearer {endpoint.token_file.read_text(encoding='ascii').strip()}"
    try:
        with httpx2.Client(timeout=TIMEOUT_S, verify=tls_context(endpoint)) as http:
            answer = http.get(f"{endpoint.url.rstrip('/')}/metadata", headers=headers)
    except httpx2.HTTPError as error:
        return Answer("FHIR", False, f"cannot be reached at {endpoint.url}: {_why(error)}")
    if answer.status_code in {401, 403}:
        return Answer("FHIR", False, "refuses our token: see reports.fhir.token_file")
    try:
        version = str(answer.json()["fhirVersion"])
    except (ValueError, KeyError, TypeError):
        return Answer("FHIR", False, f"answers {answer.status_code} to /metadata: is this a FHIR server's base?")
    if not version.startswith("4."):
        return Answer("FHIR", False, f"speaks FHIR {version}; reports are R4 (4.0.1)")
    return Answer("FHIR", True, f"speaks FHIR {version}; a report is not sent by a check")


def router(settings: NodeSettings) -> Answer:
    """Read one page of this node's orders, with its token; takes none of them."""
    token = settings.router.token_file.read_text(encoding="ascii", errors="replace").strip()
    try:
        with httpx2.Client(timeout=TIMEOUT_S) as http:
            answer = http.get(
                f"{settings.router.url.rstrip('/')}/node/v1/orders",
                params={"after": 0, "wait": 0},
                headers={"Authorization": f"Bearer {token}"},
            )
    except httpx2.HTTPError as error:
        return Answer("HTTPS", False, f"cannot be reached at {settings.router.url}: {_why(error)}")
    words = {
        200: "takes our token",
        401: "does not know our token: issue one with `readacross token ROUTER.toml --role node --subject ODS`",
        403: f"knows our token, but it is not one of the node {settings.trust.ods_code}",
    }.get(answer.status_code, f"answers {answer.status_code}: is this the router?")
    return Answer("HTTPS", answer.status_code == 200, words)


def _why(error: httpx2.HTTPError) -> str:
    if isinstance(error, httpx2.TimeoutException):
        return f"no answer within {TIMEOUT_S:g} s"
    return str(error) or type(error).__name__
