"""A node that is newer than its router tells it what that one can understand."""

import json
from typing import Any

from dicom_nodes.contract import FactBatch, ReportRefused
from dicom_nodes.uplink.link import facts_json
from tests.integration.router.region import HEALTH


def test_a_refusal_names_changes_only_where_it_is_one_and_means_the_same_to_who_knows_the_word() -> None:
    told: dict[str, Any] = {
        "channel": "hl7_oru",
        "answer": "AE",
        "reason": "OBX-5: no report text",
        "original_digest": "0" * 64,
    }
    first, correction = (ReportRefused(refusal_id=f"r{n}", changes=n == 2, **told) for n in (1, 2))
    at = "2026-11-02T09:00:00Z"
    facts = [{"seq": n, "occurred_at": at, "body": body} for n, body in enumerate((first, correction, first), 1)]
    batch = FactBatch.model_validate({"outbox_id": "o", "facts": facts, "health": HEALTH})
    sent = facts_json(batch)
    assert ["changes" in fact["body"] for fact in json.loads(sent)["facts"]] == [False, True, False]
    assert FactBatch.model_validate_json(sent) == batch
