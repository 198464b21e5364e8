"""DCMTK as modality and as workstation: its programs by full path, because a venv with pynetdicom shadows them."""

import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread

from readacross.demo.images import digest_of_file
from tests.peers.processes import RunningProcess, free_port, program, run

_PLACE = "/usr/bin"


@dataclass(frozen=True)
class Target:
    """Whom to call, and as whom."""

    ae_title: str
    port: int
    calling: str = "DCMTK"
    host: str = "127.0.0.1"

    @property
    def arguments(self) -> list[str]:
        return ["-aet", self.calling, "-aec", self.ae_title, "-to", "10", "-ta", "20", "-td", "60"]

    @property
    def address(self) -> list[str]:
        return [self.host, str(self.port)]


@dataclass(frozen=True)
class Answer:
    """How a DCMTK program ended: exit code and everything it printed."""

    code: int
    output: str

    @property
    def ok(self) -> bool:
        return self.code == 0


def echo(target: Target, *options: str) -> Answer:
    """C-ECHO."""
    return _run("echoscu", "-v", *options, *target.arguments, *target.address)


def send(files: Iterable[Path], target: Target, *options: str) -> Answer:
    """C-STORE of files by dcmsend, in the transfer syntaxes they are in; stops at the first refusal."""
    return _run("dcmsend", "-v", "-dn", *options, *target.arguments, *target.address, *files)


def send_with_storescu(files: Iterable[Path], target: Target, *options: str) -> Answer:
    """C-STORE of files by storescu (-R: only the presentation contexts the files need)."""
    return _run("storescu", "-v", "-R", *options, *target.arguments, *target.address, *files)


def find(target: Target, keys: Sequence[str], *options: str, model: str = "-S") -> tuple[Answer, list[Dataset]]:
    """C-FIND with keys such as `QueryRetrieveLevel=STUDY`; `model` is -S (Study Root) or -P (Patient Root)."""
    folder = Path(tempfile.mkdtemp(prefix="readacross-findscu-"))
    try:
        arguments = ["-v", model, "-X", "-od", folder, *options, *target.arguments, *_keys(keys), *target.address]
        answer = _run("findscu", *arguments)
        return answer, [dcmread(file, force=True) for file in sorted(folder.glob("rsp*.dcm"))]
    finally:
        shutil.rmtree(folder)


def move(target: Target, destination: str, keys: Sequence[str], *options: str, model: str = "-S") -> Answer:
    """C-MOVE to another AE title; this program itself receives nothing."""
    return _run("movescu", "-v", model, "-aem", destination, *options, *target.arguments, *_keys(keys), *target.address)


def get(target: Target, keys: Sequence[str], folder: Path, *options: str, model: str = "-S") -> Answer:
    """C-GET into `folder`, written bit by bit as received (getscu of DCMTK 3.6.7 asks for uncompressed only)."""
    folder.mkdir(parents=True, exist_ok=True)
    arguments = ["-v", model, "+B", "-od", folder, *options, *target.arguments, *_keys(keys), *target.address]
    return _run("getscu", *arguments)


def _keys(keys: Sequence[str]) -> list[str]:
    return [part for key in keys for part in ("-k", key)]


def _run(name: str, *arguments: str | Path) -> Answer:
    return Answer(*run([program(name, _PLACE), *arguments]))


class Workstation:
    """A running storescp that keeps what it receives, bit by bit."""

    def __init__(self, folder: Path, ae_title: str, port: int, options: Sequence[str]) -> None:
        self.folder = folder
        self.ae_title = ae_title
        self.port = port
        self._options = list(options)
        self._process: RunningProcess | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until it listens."""
        arguments = ["-v", "+xa", "-pm", "+B", "-aet", self.ae_title, "-od", self.folder, *self._options]
        self._process = RunningProcess([program("storescp", _PLACE), *arguments, str(self.port)])
        self._process.wait_for_port(self.port)

    def stop(self) -> None:
        """Switch it off; what it received stays."""
        if self._process is not None:
            self._process.stop(deadline_s=2)
            self._process = None

    @property
    def output(self) -> str:
        return self._process.output if self._process else ""

    @property
    def stores(self) -> int:
        """How many C-STORE requests came since it was started, repeats included."""
        return len(re.findall(r"Received Store Request", self.output))

    def files(self) -> list[Path]:
        return sorted(file for file in self.folder.iterdir() if file.is_file())

    def received(self) -> Mapping[str, Path]:
        """SOP Instance UID → file."""
        return {str(dcmread(file, stop_before_pixels=True).SOPInstanceUID): file for file in self.files()}

    def digests(self) -> dict[str, str]:
        """SOP Instance UID → SHA-256 (hex) of the data set as received."""
        return {uid: digest_of_file(file) for uid, file in self.received().items()}

    def pixel_digests(self) -> dict[str, str]:
        """SOP Instance UID → SHA-256 (hex) of the value of PixelData."""
        return {uid: hashlib.sha256(dcmread(file).PixelData).hexdigest() for uid, file in self.received().items()}


@contextmanager
def running_workstation(ae_title: str, *options: str, port: int | None = None) -> Iterator[Workstation]:
    """Run a storescp that accepts every transfer syntax and SOP class."""
    folder = Path(tempfile.mkdtemp(prefix="readacross-storescp-"))
    workstation = Workstation(folder, ae_title, port or free_port(), options)
    try:
        workstation.start()
        yield workstation
    finally:
        workstation.stop()
        shutil.rmtree(folder, ignore_errors=True)
