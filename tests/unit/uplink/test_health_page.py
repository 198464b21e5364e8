"""The health page ends with its node, also when the node never came to start it."""

import threading
import urllib.request

from dicom_nodes.contract import NodeHealth
from dicom_nodes.uplink.health_page import HealthPage

HEALTH = NodeHealth(
    state="ok", reasons=(), free_bytes=1, parked_jobs=0, quarantined=0, outbox_depth=0, outbox_oldest_s=0.0
)


def stops(page: HealthPage) -> bool:
    stopping = threading.Thread(target=page.stop, daemon=True)
    stopping.start()
    stopping.join(5)
    return not stopping.is_alive()


def test_a_page_that_was_never_started_stops_at_once() -> None:
    assert stops(HealthPage("127.0.0.1:0", lambda: HEALTH))


def test_a_page_answers_until_it_is_stopped() -> None:
    page = HealthPage("127.0.0.1:0", lambda: HEALTH)
    page.start()
    with urllib.request.urlopen(f"http://127.0.0.1:{page.port}/health", timeout=5) as answer:
        assert NodeHealth.model_validate_json(answer.read()) == HEALTH
    assert stops(page)
