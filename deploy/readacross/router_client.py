"""The router's API as the command and the demonstration use it: typed answers, refusals in words."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx2
from pydantic import BaseModel, TypeAdapter

from readacross.refusals import RouterSaidNo
from readacross.whole_id import whole_id
from router.web.alert_messages import AlertDetailView, AlertView
from router.web.exams import CodesImportBody, CodesImportView, CoverageView
from router.web.messages import (
    ClaimView,
    ListedDeliveryView,
    NodeView,
    QueueItemView,
    ReadView,
    ReportView,
    StudyTrace,
    WhyView,
)
from router.web.patient_conflicts import PatientConflictView
from router.web.report_messages import ProposedView, SidesView
from router.web.rota_messages import RotaImportBody, RotaImportView

TIMEOUT_S = 15.0
OPEN_ALERTS = ("RAISED", "NOTIFIED", "ESCALATED", "ACKNOWLEDGED")
_ID_LENGTH = 36
ViewT = TypeVar("ViewT", bound=BaseModel)


class RouterClient:
    """Calls with one token."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._url = url
        self._http = httpx2.Client(base_url=url.rstrip("/"), headers=headers, timeout=TIMEOUT_S)

    @classmethod
    def from_file(cls, url: str, token_file: Path) -> Self:
        """Raises RouterSaidNo when the token file cannot be read."""
        try:
            return cls(url, token_file.read_text(encoding="ascii").strip())
        except OSError as error:
            raise RouterSaidNo(f"{token_file}: the token cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise RouterSaidNo(f"{token_file}: is no token file") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def trace(self, study_or_accession: str) -> list[StudyTrace]:
        """Studies with this Study Instance UID, or else with this accession number (several trusts may have it)."""
        for key in ("study_instance_uid", "accession_number"):
            try:
                return self._list(StudyTrace, "GET", "/ledger", params={key: study_or_accession})
            except RouterSaidNo as refusal:
                if refusal.status != 404:
                    raise
        return []

    def reads(self, *states: str) -> list[ReadView]:
        return self._list(ReadView, "GET", "/reads", params={"state": list(states), "limit": 1000})

    def reads_after(self, after: str | None, limit: int) -> list[ReadView]:
        """One page of all reads, oldest first, behind the read with this id."""
        params: dict[str, Any] = {"limit": limit} | ({} if after is None else {"after": after})
        return self._list(ReadView, "GET", "/reads", params=params)

    def why(self, read_id: str) -> WhyView:
        return WhyView.model_validate(self._call("GET", f"/reads/{read_id}/why"))

    def reports(self, read_id: str) -> list[ReportView]:
        return self._list(ReportView, "GET", f"/reads/{read_id}/reports")

    def nodes(self) -> list[NodeView]:
        return self._list(NodeView, "GET", "/nodes")

    def claim(self, read_id: str) -> ClaimView:
        return ClaimView.model_validate(self._call("POST", f"/reads/{read_id}/claim"))

    def human_queue(self, *, resolved: bool = False) -> list[QueueItemView]:
        return self._list(QueueItemView, "GET", "/human-queue", params={"resolved": resolved})

    def settle_item(self, item_id: str, action: str, note: str) -> QueueItemView:
        """`action` is `resolve` or `resend`."""
        answer = self._call("POST", f"/human-queue/{item_id}/{action}", json={"note": note})
        return QueueItemView.model_validate(answer)

    def held_reports(self) -> list[ReportView]:
        """All of them, page after page."""
        found: list[ReportView] = []
        while True:
            params: dict[str, Any] = {"disposition": "WAITING", "limit": 200}
            page = self._list(ReportView, "GET", "/reports", params=params | ({"after": found[-1].id} if found else {}))
            found += page
            if len(page) < 200:
                return found

    def sides(self, report_id: str) -> SidesView:
        return SidesView.model_validate(self._call("GET", f"{_report(report_id)}/sides"))

    def accept_report(self, report_id: str, read_id: str, reason: str) -> ReportView:
        body = {"read_id": read_id, "reason": reason}
        return ReportView.model_validate(self._call("POST", f"{_report(report_id)}/accept", json=body))

    def propose_match(self, report_id: str, read_id: str, reason: str) -> ProposedView:
        body = {"read_id": read_id, "reason": reason}
        return ProposedView.model_validate(self._call("POST", f"{_report(report_id)}/match", json=body))

    def confirm_match(self, report_id: str, reason: str) -> ReportView:
        answer = self._call("POST", f"{_report(report_id)}/match/confirm", json={"reason": reason})
        return ReportView.model_validate(answer)

    def reject_match(self, report_id: str, reason: str) -> None:
        self._call("POST", f"{_report(report_id)}/match/reject", json={"reason": reason})

    def patient_conflicts(self) -> list[PatientConflictView]:
        """Changes of patients that wait for two persons."""
        return TypeAdapter(list[PatientConflictView]).validate_python(self._call("GET", "/patient-conflicts"))

    def settle_patient(self, conflict_id: str, how: str, reason: str) -> None:
        """`how` is propose, confirm or reject."""
        self._call("POST", f"/patient-conflicts/{quote(conflict_id, safe='')}/{how}", json={"reason": reason})

    def deliveries(self, states: list[str], trust: str | None) -> list[ListedDeliveryView]:
        params: dict[str, Any] = {"state": states, "limit": 1000} | ({} if trust is None else {"trust": trust})
        return self._list(ListedDeliveryView, "GET", "/deliveries", params=params)

    def settle_delivery(self, report_id: str, channel: str, action: str, reason: str) -> ListedDeliveryView:
        """`action` is `resend` or `cancel`."""
        path = f"/reports/{quote(report_id, safe='')}/deliveries/{quote(channel, safe='')}/{action}"
        return ListedDeliveryView.model_validate(self._call("POST", path, json={"reason": reason}))

    def alerts(self, states: Sequence[str], trust: str | None = None) -> list[AlertView]:
        params: dict[str, Any] = {"state": list(states), "limit": 1000} | ({} if trust is None else {"trust": trust})
        return self._list(AlertView, "GET", "/alerts", params=params)

    def alert(self, alert_id: str) -> AlertDetailView:
        return AlertDetailView.model_validate(self._call("GET", f"/alerts/{quote(alert_id, safe='')}"))

    def whole_alert_id(self, start: str) -> str:
        """The id of the alert that begins so, open ones first. Raises RouterSaidNo where several do."""
        if len(start) == _ID_LENGTH:
            return start
        of_open = whole_id(start, [one.id for one in self.alerts(OPEN_ALERTS)], "open alerts")
        return of_open if of_open != start else whole_id(start, [one.id for one in self.alerts(())], "alerts")

    def answer_alert(self, alert_id: str, action: str, person: str, reason: str) -> AlertDetailView:
        """`action` is `acknowledge` or `close`."""
        body = {"person": person, "reason": reason}
        answer = self._call("POST", f"/alerts/{quote(alert_id, safe='')}/{action}", json=body)
        return AlertDetailView.model_validate(answer)

    def import_rota(self, body: RotaImportBody) -> RotaImportView:
        answer = self._call("POST", "/rota/import", json=body.model_dump())
        return RotaImportView.model_validate(answer)

    def import_codes(self, trust: str, body: CodesImportBody) -> CodesImportView:
        answer = self._call("POST", f"/trusts/{quote(trust, safe='')}/exam-codes/import", json=body.model_dump())
        return CodesImportView.model_validate(answer)

    def coverage(self, trust: str, days: int) -> CoverageView:
        answer = self._call("GET", f"/trusts/{quote(trust, safe='')}/exam-codes/coverage", params={"days": days})
        return CoverageView.model_validate(answer)

    def _list(self, view: type[ViewT], method: str, path: str, **request: Any) -> list[ViewT]:
        return TypeAdapter(list[view]).validate_python(self._call(method, path, **request))  # type: ignore[valid-type]

    def _call(self, method: str, path: str, **request: Any) -> object:
        try:
            answer = self._http.request(method, path, **request)
        except httpx2.HTTPError as error:
            why = str(error) or type(error).__name__
            raise RouterSaidNo(f"the router at {self._url} cannot be reached: {why}") from None
        if answer.is_success:
            return answer.json() if answer.content else None
        raise RouterSaidNo(_refusal(answer), answer.status_code)


def _report(report_id: str) -> str:
    return f"/reports/{quote(report_id, safe='')}"


def _refusal(answer: httpx2.Response) -> str:
    try:
        words = answer.json()["message"]
    except (ValueError, KeyError, TypeError):
        return f"the router answered {answer.status_code}: is this the router's address?"
    return f"the router refuses: {words}"
