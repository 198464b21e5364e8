"""What contestants have in common that are one child process, and those of them that keep a folder of files."""

from pathlib import Path

from readacross.bench.contestants import Sample, Stored
from readacross.bench.folder_contents import stored_in
from readacross.demo.children import Child


class ChildServer:
    """A server with a child process; it begins anew each time."""

    keeps_running = False

    def __init__(self, name: str, ae_title: str) -> None:
        self.name, self.ae_title = name, ae_title
        self.port = 0
        self._child: Child | None = None

    @property
    def session(self) -> int:
        """The child leads a session of its own."""
        assert self._child is not None
        return self._child.pid

    def rest(self) -> None:
        """Nothing to do."""

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()
            self._child = None


class FolderServer(ChildServer):
    """One that keeps what it takes as Part 10 files in a folder."""

    def __init__(self, name: str, ae_title: str) -> None:
        super().__init__(name, ae_title)
        self._folder = Path()

    def stored(self, sample: Sample) -> Stored:
        return stored_in(self._folder, set(sample.uids))

    def empty(self) -> None:
        """Remove what it has taken so far."""
        for file in self._folder.iterdir():
            file.unlink()

    def _new_folder(self, under: Path) -> None:
        self._folder = under / "files"
        self._folder.mkdir(parents=True)
