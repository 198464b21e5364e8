"""A region whose processes' words are kept, patients whose every word is marked, and the search for the marks."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from pydicom import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, evt

from readacross.demo.patients import Patient
from tests.network.region import ORIGIN, READER, Node, Region
from tests.peers.processes import RunningProcess
from tests.synthetic.studies import (
    MadeStudy,
    next_serial,
    nhs_number,
    rewritten,
    synthetic_study,
)

MARK = "ZZMARK"
BIRTH_DATE = date(1931, 1, 17)
NHS_NUMBER = nhs_number(7777)
PRIVATE = (MARK, NHS_NUMBER, f"{BIRTH_DATE:%Y%m%d}", f"{BIRTH_DATE:%Y-%m-%d}", "QZX")
"""What no log may hold, in any case. QZX: three letters of report text that could pass for a segment's name."""
_UID = re.compile(r"(?<![\d.])[0-2](?:\.\d+){5,}")
_PUBLIC_UIDS = "1.2.840.10008."


def private_words(output: str) -> list[str]:
    """Every line of `output` that holds private data, or a UID that is none of the standard's own."""
    return [line for line in output.splitlines() if _has_private_data(line)]


def _has_private_data(line: str) -> bool:
    if any(word.lower() in line.lower() for word in PRIVATE):
        return True
    return any(not uid.startswith(_PUBLIC_UIDS) for uid in _UID.findall(line))


def marked_study(folder: Path, modality: str = "CT", *, origin: str = ORIGIN, slices: int = 2) -> MadeStudy:
    """A study of a marked patient: names, numbers, description and comments."""
    serial = next_serial()
    patient = Patient(
        f"{MARK}FAMILY^{MARK}GIVEN", f"{MARK}PID{serial}", NHS_NUMBER, BIRTH_DATE, "F", character_set="ISO_IR 100"
    )
    made = synthetic_study(
        folder, modality, origin=origin, serial=serial, slices=slices, patient=patient,
        accession_number=f"{MARK}ACC{serial}"[:16],
    )  # fmt: skip
    files = [
        rewritten(file, file.path.parent, StudyDescription=f"{MARK} STUDY", PatientComments=f"{MARK} COMMENT")
        for file in made.files
    ]
    return replace(made, files=tuple(files))


@dataclass
class Watched:
    """A region whose processes' words are kept, also of those that were replaced by a restart."""

    region: Region
    folder: Path
    processes: dict[str, list[RunningProcess]] = field(default_factory=dict)

    def watch(self) -> None:
        """Note the processes that run now."""
        running = {"router": self.region.router, **{ods: node.process for ods, node in self.region.nodes.items()}}
        for name, process in running.items():
            seen = self.processes.setdefault(name, [])
            if process is not None and process not in seen:
                seen.append(process)

    def restart(self, node: Node) -> None:
        node.stop()
        node.start()
        self.watch()

    def outputs(self) -> dict[str, str]:
        """Everything each of them has said."""
        return {name: "".join(process.output for process in seen) for name, seen in self.processes.items()}

    def study(self, modality: str = "CT", **options: Any) -> MadeStudy:
        return marked_study(self.folder / "images", modality, **options)

    def acquired(self) -> tuple[MadeStudy, dict[str, Any]]:
        """A study that is on the workstation and claimed; with the claim."""
        study = self.study()
        assert self.region.acquire(study).ok
        return study, self.claimed(study)

    def claimed(self, study: MadeStudy) -> dict[str, Any]:
        read = self.region.wait_for_images(study)
        claim: dict[str, Any] = self.region.call("POST", f"/reads/{read['id']}/claim", READER)
        return claim

    @cached_property
    def held(self) -> tuple[MadeStudy, dict[str, Any]]:
        """One claimed study for everything that must not be accepted."""
        return self.acquired()

    def wait_for_item(self, kind: str, study: MadeStudy | None = None) -> dict[str, Any]:
        """An open item of the human queue."""

        def found() -> dict[str, Any] | None:
            uid = None if study is None else study.study_instance_uid
            items = self.region.queue(kind)
            return next((item for item in items if uid is None or item["study_instance_uid"] == uid), None)

        item: dict[str, Any] = self.region.wait(found, f"a person is told: {kind}", study)
        return item


@contextmanager
def refusing_scp(ae_title: str, port: int, refused: threading.Event) -> Iterator[None]:
    """A storage SCP that refuses everything with words that quote the patient (C000 with an Error Comment)."""
    ae = AE(ae_title)
    for context in AllStoragePresentationContexts:
        ae.add_supported_context(str(context.abstract_syntax))

    def refuse(_event: evt.Event) -> Dataset:
        answer = Dataset()
        answer.Status = 0xC000
        answer.ErrorComment = f"cannot file {MARK}FAMILY {NHS_NUMBER} {MARK}COMMENT"
        refused.set()
        return answer

    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, refuse)])
    try:
        yield
    finally:
        server.shutdown()
