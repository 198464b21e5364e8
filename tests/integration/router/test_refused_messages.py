"""An order or an ADT message that a node refused is an item of the human queue, once."""

import pytest

from dicom_nodes.contract import MessageRefused
from tests.integration.router.region import Region


@pytest.mark.parametrize(
    ("channel", "kind", "words"),
    [("hl7_order", "order_refused", "critical contact"), ("hl7_adt", "patient_change_refused", "identity of before")],
)
def test_a_message_that_a_node_refused_is_in_the_human_queue_once(
    sqlite_region: Region, channel: str, kind: str, words: str
) -> None:
    said = {"channel": channel, "answer": "AE", "reason": "OBR-24: modality is missing", "original_digest": "0" * 64}
    refused = MessageRefused.model_validate({"refusal_id": "m1", **said})
    sqlite_region.rxn.say(refused, refused)
    (item,) = sqlite_region.queue(kind)
    assert item["node"] == "RXN"
    assert "answered AE: OBR-24: modality is missing" in item["reason"]
    assert words in item["reason"]
    assert "readacross refused, id m1" in item["reason"]
