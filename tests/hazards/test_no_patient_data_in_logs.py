"""Patient data appears in no log (DESIGN.md promise 11): marked data through every flow, then all output is searched.

The control is `private_words` itself: it must find what is planted, and the outputs must hold the flows' own events.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.hazards.marked_documents import (
    CHANNELS,
    comes_by_fhir,
    comes_by_pdf,
    endpoint_quotes_the_patient,
    trust_tables,
)
from tests.hazards.marked_flows import FLOWS, partners_are_off, partners_quote_the_patient, ris_quotes_the_patient
from tests.hazards.marked_region import MARK, NHS_NUMBER, Watched, private_words
from tests.network.region import ORIGIN, READING, running_region
from tests.peers.fhir_server import FhirServer
from tests.peers.postgresql import fresh_database
from tests.peers.processes import RunningProcess

pytestmark = pytest.mark.peers

EVENTS = {
    "router": {"router.listening", "router.request_failed", "fact.failed", "router.stopped"},
    ORIGIN: {
        "node.started",
        "association.opened",
        "association.closed",
        "association.rejected",
        "dimse.refused",
        "study.settled",
        "job.done",
        "job.retry",
        "job.parked",
        "node.stopped",
    },
    READING: {
        "association.opened",
        "report.taken",
        "report.refused",
        "hl7.garbage",
        "dimse.refused",
        "move.sub_operation_failed",
        "job.done",
        "job.parked",
    },
}
"""What each process must have said while the flows ran: otherwise the search proves nothing."""


@dataclass(frozen=True)
class Said:
    """What the processes said, from their start to their end, and what people are shown."""

    outputs: dict[str, str]
    queue: str


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory, postgresql_server: str) -> Iterator[Said]:
    folder = tmp_path_factory.mktemp("marked")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as running:
        fhir = running.enter_context(FhirServer(token="secret"))
        (folder / "region" / ORIGIN).mkdir(parents=True)
        (folder / "region" / ORIGIN / "fhir.token").write_text("secret")
        files = {"reports": trust_tables(fhir), "returns": f"channels = {CHANNELS!r}"}
        database = fresh_database(postgresql_server)
        with running_region(folder / "region", database, attempts=2, **files) as region:
            watched = Watched(region, folder)
            watched.watch()
            for flow in FLOWS:
                flow(watched)
            comes_by_fhir(watched, fhir)
            comes_by_pdf(watched)
            endpoint_quotes_the_patient(watched, fhir)
            ris_quotes_the_patient(watched, lambda answer: patch.setattr("readacross.demo.ris.acknowledgement", answer))
            partners_quote_the_patient(watched)
            partners_are_off(watched)
            queue = str(region.queue())
        yield Said(watched.outputs(), queue)


@pytest.mark.parametrize("process", ["router", ORIGIN, READING])
def test_no_process_says_anything_about_a_patient(said: Said, process: str) -> None:
    assert private_words(said.outputs[process]) == []


@pytest.mark.parametrize("process", ["router", ORIGIN, READING])
def test_each_process_did_speak_of_what_happened(said: Said, process: str) -> None:
    missing = {event for event in EVENTS[process] if f'"event": "{event}"' not in said.outputs[process]}
    assert missing == set(), said.outputs[process][-3000:]


@pytest.mark.parametrize("planted", [MARK, MARK.lower(), NHS_NUMBER, "19310117", "1931-01-17", "QZX", "2.25.1.2.3.4"])
def test_the_search_finds_what_is_planted(planted: str) -> None:
    program = f"import sys; print('an event'); print('before{planted}after', file=sys.stderr)"
    if planted.startswith("2.25"):
        program = program.replace("before", "uid=").replace("after", " ")
    with RunningProcess([Path(sys.executable), "-c", program]) as process:
        process.wait()
        assert len(private_words(process.output)) == 1


def test_the_search_lets_events_pass() -> None:
    harmless = '{"event": "job.done", "at": "a.py:1", "host": "127.0.0.1", "class": "1.2.840.10008.5.1.4.1.1.2"}'
    assert private_words(harmless) == []
