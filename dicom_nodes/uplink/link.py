"""The router over HTTPS: one client, two calls, failures in words."""

from typing import TypeVar

import httpx2
from pydantic import ValidationError

from dicom_nodes.contract import FactBatch, FactReceipt, OrderBatch, ReportRefused
from dicom_nodes.model.errors import NumberingRefused, PeerRefused, PeerUnavailable

_TIMEOUT_S = 30.0
AnswerT = TypeVar("AnswerT", FactReceipt, OrderBatch)


def facts_json(batch: FactBatch) -> str:
    """As it is sent: a refusal that changes nothing does not say so, because a router of before knows no `changes`.

    It would take such a fact for one that cannot be understood, and of most refusals nothing else is new.
    """
    facts = enumerate(batch.facts)
    silent = {at for at, fact in facts if isinstance(fact.body, ReportRefused) and not fact.body.changes}
    return batch.model_dump_json(exclude={"facts": {at: {"body": {"changes"}} for at in silent}} if silent else None)


class HttpRouterLink:
    """Implements `RouterLink`. Safe for several threads."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._client = httpx2.Client(headers={"Authorization": f"Bearer {token}"}, timeout=_TIMEOUT_S)

    def close(self) -> None:
        """End the line; a call that waits ends with PeerUnavailable."""
        self._client.close()

    def post_facts(self, batch: FactBatch) -> FactReceipt:
        """Raises PeerUnavailable, PeerRefused, or NumberingRefused when the router answers 409 to our numbers."""
        response = self._call("POST", "/node/v1/facts", content=facts_json(batch))
        return self._parsed(FactReceipt, response)

    def get_orders(self, log_id: str | None, after: int, wait_s: float) -> OrderBatch:
        """Raises PeerUnavailable or PeerRefused."""
        query = f"after={after}&wait={wait_s:g}" + (f"&log_id={log_id}" if log_id else "")
        response = self._call("GET", f"/node/v1/orders?{query}", timeout_s=_TIMEOUT_S + wait_s)
        return self._parsed(OrderBatch, response)

    def _call(
        self, method: str, path: str, content: str | None = None, timeout_s: float = _TIMEOUT_S
    ) -> httpx2.Response:
        headers = {"Content-Type": "application/json"} if content is not None else {}
        try:
            response = self._client.request(
                method, self._url + path, content=content, headers=headers, timeout=timeout_s
            )
        except (httpx2.HTTPError, RuntimeError) as error:
            raise PeerUnavailable(f"the router does not answer ({type(error).__name__})") from None
        if response.status_code in {401, 403}:
            raise PeerRefused(f"the router refuses this node's token (HTTP {response.status_code})")
        if response.status_code >= 500 or response.status_code == 429:
            raise PeerUnavailable(f"the router answers HTTP {response.status_code}")
        if response.status_code == 409:
            raise NumberingRefused("the router knows this outbox differently; one side was restored from a backup")
        if response.status_code != 200:
            raise PeerRefused(f"the router answers HTTP {response.status_code} to {method} {path.partition('?')[0]}")
        return response

    @staticmethod
    def _parsed(model: type[AnswerT], response: httpx2.Response) -> AnswerT:
        try:
            return model.model_validate_json(response.content)
        except ValidationError as error:
            places = ", ".join(".".join(str(part) for part in detail["loc"]) for detail in error.errors()[:3])
            raise PeerRefused(f"the router's answer is not of this contract's version (at {places})") from None
