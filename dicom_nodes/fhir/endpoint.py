"""Send a report to the trust's FHIR endpoint, so that sending it twice leaves it there once.

`put` writes one resource a study under an id that we choose; `post` creates each version unless its identifier is known
(If-None-Exist, hl7.org/fhir/R4/http.html#ccreate). One connection a report, as by MLLP: a dead one is found by this
report's own time limit, never by a later one's. The server's words about a refusal stay at this node.
"""

import json
import ssl
from typing import Any

import httpx2

from dicom_nodes.config import Trust
from dicom_nodes.fhir.outgoing_report import WrittenResource, write_report
from dicom_nodes.model.errors import NothingSent, PeerRefused, PeerUnavailable
from dicom_nodes.model.report import ChannelAnswer, OutgoingReport
from dicom_nodes.report_settings import FhirEndpoint

_LATER = {408, 425, 429}
_LONGEST_WORDS = 400
_JSON = "application/fhir+json"


class FhirReportSender:
    """Implements `ReportSender`; safe to use from several threads."""

    def __init__(self, endpoint: FhirEndpoint, trust: Trust) -> None:
        """Reads the endpoint's files; the token is read again for each report, so that it may be renewed.

        Raises:
            ssl.SSLError, OSError: a certificate cannot be used.
        """
        self._endpoint, self._trust = endpoint, trust
        self._context = tls_context(endpoint)

    def send(self, report: OutgoingReport) -> ChannelAnswer:
        """Send the report and return the server's answer, be it yes or no.

        Raises:
            NothingSent: no connection.
            PeerUnavailable: no answer in time, or one that says later.
            PeerRefused: the report cannot be carried without loss; nothing was sent.
        """
        by_put = self._endpoint.method == "put"
        written = write_report(report, self._trust.name, self._trust.ods_code, with_id=by_put)
        response = self._exchange(written, by_put)
        status = response.status_code
        if status >= 500 or status in _LATER:
            raise PeerUnavailable(f"the FHIR endpoint answers HTTP {status}")
        if status in {200, 201}:
            place = response.headers.get("Location", f"DiagnosticReport/{written.resource_id}")
            return ChannelAnswer(True, str(status), place[:400], losses=written.losses)
        return ChannelAnswer(False, str(status), written.identifier, _words(response), written.losses)

    def _exchange(self, written: WrittenResource, by_put: bool) -> httpx2.Response:
        base = self._endpoint.url.rstrip("/") + "/DiagnosticReport"
        headers = {"Content-Type": _JSON, "Accept": _JSON, **self._authorization()}
        if not by_put:
            headers["If-None-Exist"] = f"identifier=urn:ietf:rfc:3986|{written.identifier}"
        method, place = ("PUT", f"{base}/{written.resource_id}") if by_put else ("POST", base)
        try:
            with httpx2.Client(timeout=self._endpoint.timeout_s, verify=self._context) as client:
                return client.request(method, place, content=written.body, headers=headers)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise NothingSent(f"the FHIR endpoint does not answer ({type(error).__name__})") from None
        except httpx2.TimeoutException:
            raise PeerUnavailable(f"the FHIR endpoint gave no answer within {self._endpoint.timeout_s:g} s") from None
        except httpx2.HTTPError as error:
            raise PeerUnavailable(f"the FHIR endpoint does not answer ({type(error).__name__})") from None

    def _authorization(self) -> dict[str, str]:
        file = self._endpoint.token_file
        if file is None:
            return {}
        try:
            return {"Authorization": f"Bearer {file.read_text(encoding='ascii').strip()}"}
        except (OSError, UnicodeDecodeError):
            raise PeerRefused("reports.fhir.token_file cannot be read; nothing was sent") from None


def tls_context(endpoint: FhirEndpoint) -> ssl.SSLContext:
    """Whom we trust, and who we are where the endpoint wants to know."""
    context = ssl.create_default_context(cafile=endpoint.trusted)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if endpoint.certificate is not None:
        context.load_cert_chain(endpoint.certificate, endpoint.key)
    return context


def _words(response: httpx2.Response) -> str:
    """What an OperationOutcome says, in its own words; empty where there is none."""
    try:
        outcome: Any = json.loads(response.content)
        issues = outcome["issue"]
        said = [issue.get("diagnostics") or issue.get("details", {}).get("text") or issue["code"] for issue in issues]
        return "; ".join(str(words) for words in said)[:_LONGEST_WORDS]
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
