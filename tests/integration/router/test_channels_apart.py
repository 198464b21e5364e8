"""What the node says of one channel of a return is of that channel alone, and what it could not carry is kept."""

from dicom_nodes.contract import OrderParked, ReportAcknowledged
from tests.integration.router.region import Region
from tests.integration.router.test_reports import channels, returned


def test_a_channel_that_waits_for_a_person_leaves_the_others_under_way(region: Region) -> None:
    order_id = returned(region)
    reason = "ris: the report would not arrive as it is (characters: Arabic letters); nothing was sent"
    region.rxn.say(OrderParked(order_id=order_id, reason=reason, attempts=1, channel="ris"))
    assert channels(region) == {"ris": "PARKED", "archive": "SENT"}
    (item,) = region.queue("phone_list")
    assert reason in item["reason"]
    region.rxn.say(ReportAcknowledged(order_id=order_id, channel="archive", code="0000", reference="1"))
    assert channels(region)["archive"] == "ACKED"
    assert region.read()["state"] == "VERIFIED"


def test_what_a_channel_could_not_carry_stands_in_the_ledger(region: Region) -> None:
    order_id = returned(region)
    losses = ("characters: punctuation written in plain characters (2 times)",)
    region.rxn.say(ReportAcknowledged(order_id=order_id, channel="ris", code="AA", reference="1", losses=losses))
    (trace,) = region.get("/ledger", study_instance_uid="1.2.3.4")
    (entry,) = [entry for entry in trace["entries"] if entry["event"] == "report.acknowledged"]
    assert entry["detail"]["losses"] == list(losses)
