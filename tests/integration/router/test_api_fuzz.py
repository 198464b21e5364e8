"""Whatever a caller sends, within the API's own description or beside it, the answer is never a failure of ours."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import status_code_conformance

from tests.integration.router.region import Region

_FEW = settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_input_makes_the_router_fail(region: Region, mode: GenerationMode) -> None:
    region.assign()
    schema = schemathesis.openapi.from_asgi("/openapi.json", region.client.app)
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path == "/health":
            continue
        _never_fails(operation, region.rxn.headers if operation.path.startswith("/node/") else region.staff, mode)
        tried += 1
    assert tried > 30


def _never_fails(operation: Any, headers: dict[str, str], mode: GenerationMode) -> None:
    @_FEW
    @given(case=operation.as_strategy(generation_mode=mode))
    def answers(case: Any) -> None:
        if isinstance(case.query, dict) and "wait" in case.query:
            case.query["wait"] = 0
        case.call_and_validate(headers=headers, checks=[not_a_server_error, status_code_conformance])

    answers()


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/reads/%00", {}),
        ("/reports/%00", {}),
        ("/ledger", {"accession_number": "\x00"}),
        ("/ledger", {"study_instance_uid": "1" * 5000}),
        ("/ledger", {"accession_number": "\udcff".encode("utf-8", "surrogatepass")}),
        ("/human-queue", {"kind": "\x00"}),
        ("/reads", {"after": "\x00"}),
        ("/nowhere", {}),
    ],
)
def test_odd_text_is_refused_in_the_common_shape(region: Region, path: str, params: dict[str, Any]) -> None:
    answer = region.client.get(path, params=params, headers=region.staff)
    assert answer.status_code in {200, 404, 422}, answer.text
    if answer.status_code != 200:
        assert set(answer.json()) == {"error", "message"}


@pytest.mark.parametrize("after", [2**31, 2**63 - 1, 2**63, 2**80])
def test_a_position_beyond_every_order_is_no_failure(region: Region, after: int) -> None:
    answer = region.client.get("/node/v1/orders", params={"after": after}, headers=region.rxl.headers)
    assert answer.status_code in {200, 422}
    assert answer.status_code == 200 or after >= 2**63
