"""Starts the whole region, keeps an eye on it, and takes it down again in order."""

import fcntl
import os
import sys
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from typing import Self

from dicom_nodes.model.delivery import ApplicationEntity
from readacross.demo.children import Child
from readacross.demo.images import MadeStudy, bundled_study, synthetic_study
from readacross.demo.journeys import Journey
from readacross.demo.modality import send
from readacross.demo.proof import image_faults, report_faults
from readacross.demo.reader import Desk, Reader
from readacross.demo.region import MODALITY, ORIGIN, READER_ID, READING, WORKSTATION, Region, lay_out, write_files
from readacross.demo.ris import MllpRis
from readacross.demo.workstation import Workstation
from readacross.refusals import RouterSaidNo
from readacross.router_client import RouterClient
from router.app import issue_token
from router.config import load_router_settings

_PROGRAMME = (  # (modality, slices; None: the real images that pydicom bundles, channel of the report)
    ("CT", 24, "ORU"),
    ("MR", None, "SR"),
    ("CR", 2, "ORU"),
    ("CT", None, "ORU"),
    ("MR", 12, "ORU"),
)
STUDIES_ONCE = len(_PROGRAMME)


class StageTaken(Exception):
    """Another demonstration uses the folder, or the folder is not one of ours."""


class Stage:
    """The region while it runs. All state is under `folder`, which is emptied first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._children: list[Child] = []
        self._serials = count(1)
        self._desk = Desk()
        self.journeys: list[Journey] = []
        self.trouble: list[str] = []

    def __enter__(self) -> Self:
        with self._stack:
            self._take_folder()
            self._keep_loopback_off_proxies()
            self._start()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def api(self) -> str:
        return f"{self.region.router_url}/docs"

    @property
    def admin_token_file(self) -> Path:
        return self._folder / "admin.token"

    def check_children(self) -> None:
        """Raises ChildDied when one has ended by itself."""
        for child in self._children:
            child.check()

    def send_next(self) -> Journey:
        """Make the next study of the programme and send it from the modality.

        Raises:
            SendFailed: the node did not take it.
        """
        serial = next(self._serials)
        modality, slices, channel = _PROGRAMME[(serial - 1) % len(_PROGRAMME)]
        study = self._make(modality, slices, serial)
        self._desk.studies[study.study_instance_uid] = study
        if channel == "SR":
            self._desk.by_sr.add(study.study_instance_uid)
        journey = Journey(study, channel)
        self.journeys.append(journey)
        node = self.region.nodes[ORIGIN]
        send(study.files, MODALITY, ApplicationEntity(node.ae_title, "127.0.0.1", node.dicom_port))
        return journey

    def look(self) -> None:
        """Ask the router where every unfinished study is."""
        for journey in self.journeys:
            if not journey.ended:
                with suppress(RouterSaidNo):  # a router that is gone is found by check_children
                    found = self._admin.trace(journey.study.study_instance_uid)
                    journey.trace = found[0] if found else None

    def faults(self, journey: Journey) -> list[str]:
        """What is wrong with a study's whole way round; empty when everything arrived as it was sent."""
        study, archive = journey.study, self.region.nodes[ORIGIN].archive
        found = list(image_faults(study, archive, self._workstation.digests()))
        text = self._desk.written.get(study.study_instance_uid)
        found += report_faults(study, text, list(self._ris[ORIGIN].messages), archive)
        if any(study.study_instance_uid.encode() in message for message in self._ris[READING].messages):
            found.append(f"its report also went to {READING}, which did not make the images")
        if not journey.closed:
            state = journey.trace.state if journey.trace else "not known to the router"
            found.insert(0, f"is not CLOSED but {state}")
        return found

    def waiting_for_a_person(self) -> list[str]:
        """What the human queue holds, in words."""
        return [f"{item.kind}: {item.reason}" for item in self._admin.human_queue()]

    # -- setting up ------------------------------------------------------------------------------------------------
    def _take_folder(self) -> None:
        marker = self._folder / ".readacross-demo"
        if self._folder.exists() and any(self._folder.iterdir()) and not marker.exists():
            raise StageTaken(f"{self._folder} holds something else; a demonstration empties its folder")
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        lock = self._stack.enter_context(self._folder.with_name(self._folder.name + ".lock").open("w"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StageTaken(f"another demonstration runs in {self._folder}") from None
        self.region: Region = lay_out(self._folder)
        marker.touch()

    @staticmethod
    def _keep_loopback_off_proxies() -> None:
        for name in ("NO_PROXY", "no_proxy"):
            os.environ[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1,localhost"]))

    def _start(self) -> None:
        self._workstation = Workstation(WORKSTATION, self._folder / "workstation").start()
        self._stack.callback(self._workstation.stop)
        self._ris = {ods_code: self._stack.enter_context(MllpRis()) for ods_code in self.region.nodes}
        ris = {ods_code: one.address for ods_code, one in self._ris.items()}
        write_files(self.region, self._workstation.address, ris)
        reader_token = self._issue_tokens()
        self._run_child("router", ["router", str(self.region.router_file)], self.region.router_port)
        for node in self.region.nodes.values():
            self._run_child(f"node {node.ods_code}", ["node", str(node.file)], node.dicom_port)
        self._admin = RouterClient.from_file(self.region.router_url, self.admin_token_file)
        self._stack.enter_context(self._admin)
        self._start_reader(reader_token)

    def _issue_tokens(self) -> str:
        """Write the nodes' and the administrator's token files; return the reader's token."""
        settings = load_router_settings(self.region.router_file)
        for node in self.region.nodes.values():
            _write_secret(node.token_file, issue_token(settings, "node", node.ods_code))
        _write_secret(self.admin_token_file, issue_token(settings, "admin", "demonstration"))
        return issue_token(settings, "reader", READER_ID)

    def _run_child(self, name: str, arguments: list[str], port: int) -> None:
        command = [sys.executable, "-c", "from readacross.cli import main; main()", *arguments]
        child = Child(name, command, self._folder / f"{name.replace(' ', '-')}.log")
        self._stack.callback(child.stop)
        self._children.append(child.wait_for_port(port))

    def _start_reader(self, token: str) -> None:
        node = self.region.nodes[READING]
        entity = ApplicationEntity(node.ae_title, "127.0.0.1", node.dicom_port)
        reader = Reader(self.region, entity, node.hl7_port, token, self._workstation, self._desk, self.trouble.append)
        reader.start()
        self._stack.callback(reader.stop)

    def _make(self, modality: str, slices: int | None, serial: int) -> MadeStudy:
        folder = self._folder / "sent"
        if slices is None:
            return bundled_study(folder, modality, origin=ORIGIN, serial=serial)
        return synthetic_study(folder, modality, origin=ORIGIN, serial=serial, slices=slices)


def _write_secret(file: Path, secret: str) -> None:
    file.touch(mode=0o600)
    file.write_text(secret + "\n", encoding="ascii")
