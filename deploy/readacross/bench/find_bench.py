"""`readacross bench find`: how long a C-FIND takes on a node whose catalogue holds a region's studies.

The catalogue is filled without images (`catalogue_filling`); the questions go over one open association.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from dicom_nodes.foundation.clock import utc_now
from dicom_nodes.spool.store import open_store
from readacross.bench.contestants import CALLING, Surroundings
from readacross.bench.figures import Run, latency_figures
from readacross.bench.node_contestant import OurNode
from readacross.bench.process_cost import PeakMemory
from readacross.bench.queries import STUDY_ROOT_FIND, decoded, find, query_context
from readacross.bench.results import CannotMeasure, Result
from readacross.bench.store_bench import Tell
from readacross.bench.trust_file import Forwarding
from readacross.bench.wire import AssociationEnded, Wire, connected

_WARMING = 5
Keys = dict[str, str]
_RETURNED: Keys = {
    "SpecificCharacterSet": "ISO_IR 192",
    "QueryRetrieveLevel": "STUDY",
    "StudyInstanceUID": "",
    "PatientID": "",
    "PatientName": "",
    "AccessionNumber": "",
    "StudyDate": "",
    "StudyTime": "",
    "ModalitiesInStudy": "",
    "StudyDescription": "",
    "NumberOfStudyRelatedInstances": "",
}


@dataclass(frozen=True, slots=True)
class Known:
    """What the harness knows of a study in the catalogue."""

    study_instance_uid: str
    patient_id: str
    patient_name: str
    accession_number: str
    study_date: str
    modality: str


@dataclass(frozen=True, slots=True)
class FindPlan:
    """`repeats` questions of each kind, each about another study. Without `database_url`: SQLite, by the node."""

    studies: int
    repeats: int
    rounds: int
    database_url: str | None = None


def _week_before(study_date: str) -> str:
    end = datetime.strptime(study_date, "%Y%m%d")  # noqa: DTZ007 - a date
    return f"{end - timedelta(days=7):%Y%m%d}-{study_date}"


QUESTIONS: Mapping[str, Callable[[Known], Keys]] = {
    "patient id": lambda study: {"PatientID": study.patient_id},
    "accession number": lambda study: {"AccessionNumber": study.accession_number},
    "study UID": lambda study: {"StudyInstanceUID": study.study_instance_uid},
    "date and modality": lambda study: {"StudyDate": study.study_date, "ModalitiesInStudy": study.modality},
    "week and modality": lambda study: {
        "StudyDate": _week_before(study.study_date),
        "ModalitiesInStudy": study.modality,
    },
    "name with *": lambda study: {"PatientName": f"{study.patient_name.partition('^')[0]}^*"},
    "name and date": lambda study: {
        "PatientName": f"{study.patient_name[:3]}*",
        "StudyDate": _week_before(study.study_date),
    },
}
"""What is asked, by its name in the table; every answer must contain the study it was made from."""


class FindBench:
    """Fills a catalogue, starts a node on it and asks; whatever it measures goes into `result`."""

    def __init__(self, plan: FindPlan, settings: Mapping[str, str], folder: Path, result: Result, tell: Tell) -> None:
        self._plan, self._folder, self._result, self._tell = plan, folder, result, tell
        url = plan.database_url
        self._node = OurNode(Forwarding.PAUSED, dict(settings) | ({"node.database_url": f'"{url}"'} if url else {}))

    def run(self) -> None:
        result, plan = self._result, self._plan
        result.versions[self._node.name] = self._node.version()
        started_s = time.monotonic()
        fill(plan.database_url or f"sqlite:///{_data_folder(self._folder) / 'node.db'}", plan.studies)
        self._tell(f"{plan.studies:,} studies filled in, {time.monotonic() - started_s:.0f} s")
        self._node.start(Surroundings(self._folder))
        try:
            for number in range(1, plan.rounds + 1):
                self._round(number)
        finally:
            self._node.stop()

    def _round(self, number: int) -> None:
        known = list(known_studies(self._plan.studies, self._plan.repeats + _WARMING, seed=number))
        wire = connected("127.0.0.1", self._node.port, 120.0)
        try:
            wire.request(self._node.ae_title, CALLING, [query_context(STUDY_ROOT_FIND)])
            for question, keys_of in QUESTIONS.items():
                with PeakMemory(self._node.session) as memory:
                    run = _asked(wire, keys_of, known)
                about = {"contestant": self._node.name, "question": question, "round": number}
                self._result.runs.append(run | about | {"peak_rss_mib": memory.resident_bytes / (1 << 20)})
                figure = f"p95 {run['p95_ms']:.1f} ms" if run["ok"] else f"FAILED: {run['failure']}"
                self._tell(f"round {number} {question:20} {figure}")
                if not run["ok"]:
                    break
        finally:
            wire.close()


def fill(database_url: str, studies: int) -> None:
    """Make the node's tables and fill them.

    Raises:
        CannotMeasure: this version has nothing to fill a catalogue with.
    """
    try:
        filling = import_module("readacross.bench.catalogue_filling")
    except ModuleNotFoundError as error:
        raise CannotMeasure(f"this version cannot fill a catalogue: {error}") from error
    store = open_store(database_url, utc_now, archive="")
    try:
        filling.fill_catalogue(store.database, studies)
    finally:
        store.database.dispose()


def known_studies(of_total: int, count: int, seed: int) -> Iterator[Known]:
    """Studies spread over the whole catalogue."""
    made: Any = import_module("readacross.bench.synthetic_studies")
    for number in random.Random(seed).choices(range(of_total), k=count):
        study = made.synthetic_study(number, of_total)
        yield Known(
            study.study_instance_uid,
            study.patient_id,
            study.patient_name,
            study.accession_number,
            study.study_date,
            study.modalities[0],
        )


def _data_folder(folder: Path) -> Path:
    data = folder / "data"
    data.mkdir(parents=True)
    return data


def _asked(wire: Wire, keys_of: Callable[[Known], Keys], known: list[Known]) -> Run:
    """Ask about each study; the first few only warm up."""
    whole: list[float] = []
    firsts: list[float] = []
    answers = 0
    for number, study in enumerate(known):
        keys = _RETURNED | keys_of(study)
        asked_s, first_s = time.monotonic(), 0.0
        try:
            identifiers: list[bytes] = []
            for identifier in find(wire, number + 1, **keys):
                first_s = first_s or time.monotonic()
                identifiers.append(identifier)
        except (AssociationEnded, RuntimeError, OSError) as error:
            return {"ok": False, "failure": f"{type(error).__name__}: {error}"}
        took_s = time.monotonic() - asked_s
        uids = {str(decoded(identifier).StudyInstanceUID) for identifier in identifiers}
        if study.study_instance_uid not in uids or len(uids) != len(identifiers):
            return {"ok": False, "failure": f"an answer of {len(identifiers)} without the study asked for, or twice"}
        if number >= _WARMING:
            whole.append(took_s)
            firsts.append((first_s or asked_s) - asked_s)
            answers += len(identifiers)
    return {
        "ok": True,
        "failure": None,
        "answers": answers / len(whole),
        "first_ms": 1000 * sum(firsts) / len(firsts),
        **latency_figures(whole),
    }
