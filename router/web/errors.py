"""How refusals look on the wire: one shape, never an echo of the input, never a library's text."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import DataError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as DatabaseTimeout
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from dicom_nodes.foundation.event_log import event_log
from router.model.errors import FactGap, RouterError
from router.web.malformed import in_words

_MOST_PLACES = 20


class ErrorBody(BaseModel):
    """What every refusal answers with."""

    error: str = Field(description="Fixed name of the error", examples=["stale_lease"])
    message: str = Field(description="One sentence for people, without patient data")
    expected_seq: int | None = Field(default=None, description="`fact_gap` only: the next fact that is owed")


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries of the refusals an endpoint may answer with."""
    texts = {
        401: "No live token",
        403: "Not for this caller",
        404: "No such thing",
        409: "Not in this state, lost a race, or a stale token",
        422: "The request is malformed or contradicts itself",
        503: "The database does not answer; try again",
    }
    return {status: {"model": ErrorBody, "description": texts[status]} for status in (401, 403, 422, *statuses)}


def install_error_handlers(app: FastAPI) -> None:
    """Answer our refusals and malformed requests in the common shape."""

    @app.exception_handler(RouterError)
    def refused(_request: Request, error: RouterError) -> JSONResponse:
        expected = error.expected_seq if isinstance(error, FactGap) else None
        body = ErrorBody(error=error.code, message=str(error), expected_seq=expected)
        headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
        return JSONResponse(body.model_dump(exclude_none=True), error.status, headers)

    @app.exception_handler(RequestValidationError)
    def malformed(_request: Request, error: RequestValidationError) -> JSONResponse:
        said = "; ".join(in_words(detail) for detail in error.errors()[:_MOST_PLACES])
        return JSONResponse({"error": "invalid", "message": said}, 422)

    @app.exception_handler(HTTPException)
    def unroutable(_request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 400:
            return JSONResponse({"error": "invalid", "message": "body: cannot be parsed"}, 422)
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "error")
        return JSONResponse({"error": code, "message": str(error.detail)}, error.status_code, error.headers)


class FailureBoundary:
    """The outermost handler: an unexpected error is answered 500 or 503 and logged by type and place only."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - the handler's boundary
            event_log().error("router.request_failed", exc_info=error)
            status, code, message = _answer_to(error)
            response = JSONResponse({"error": code, "message": message}, status)
            await response(scope, receive, send)


def _answer_to(error: Exception) -> tuple[int, str, str]:
    if isinstance(error, DataError):
        return 422, "invalid", "a value cannot be stored: too long, out of range, or with a NUL character"
    if isinstance(error, OperationalError | InterfaceError | DatabaseTimeout):
        return 503, "unavailable", "the database does not answer; try again"
    return 500, "error", "an unexpected error; it was logged"
