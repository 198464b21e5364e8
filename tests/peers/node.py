"""A trust's node for tests: its settings file, the node in this process, or the node as a process of its own."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dicom_nodes.app import NodeApp
from dicom_nodes.config import load_node_settings
from dicom_nodes.contract import FactBody
from dicom_nodes.flows.ports import Checkpoint, no_checkpoint
from dicom_nodes.receivers.supervisor import COMMAND
from dicom_nodes.spool.segments import SegmentSpool
from readacross.demo.images import digest_of_file
from tests.peers.dcmtk import Target


def peer(ae_title: str, role: str, may: Sequence[str], address: str | None = None, hosts: str = "127.0.0.1") -> str:
    """A `[[peers]]` table."""
    lines = ["[[peers]]", f'ae_title = "{ae_title}"', f'role = "{role}"', f'allowed_hosts = ["{hosts}"]']
    lines.append(f"may = {list(may)!r}")
    if address:
        lines.append(f'address = "{address}"')
    return "\n".join(lines) + "\n"


MODALITY = peer("DCMTK", "modality", ("echo", "store", "find", "move", "get"))


def write_trust_file(
    folder: Path,
    *,
    ods_code: str = "RXN",
    port: int = 0,
    router_url: str = "http://127.0.0.1:1",
    token: str = "no-router",
    archive: str | None = None,
    ris: str | None = None,
    hl7_port: int = 0,
    peers: Sequence[str] = (MODALITY,),
    settle_quiet_s: float = 1.0,
    disk_reserve_mib: int = 0,
    attempts: int = 12,
    receivers: int = 0,
) -> Path:
    """Write a trust file and its token under `folder`; without a router's URL the node is alone."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "router.token").write_text(token + "\n")
    file = folder / f"{ods_code}.toml"
    file.write_text(
        f"""
[trust]
ods_code = "{ods_code}"
name = "Trust {ods_code}"
[node]
ae_title = "{ods_code}_NODE"
listen = "127.0.0.1:{port}"
data_dir = "data"
health_listen = "127.0.0.1:0"
settle_quiet_s = {settle_quiet_s}
worklist_days = 36500
spool_segment_mib = 4
receivers = {receivers}
disk_reserve_mib = {disk_reserve_mib}
[router]
url = "{router_url}"
token_file = "router.token"
[archive]
{archive or 'kind = "embedded"' + chr(10) + 'directory = "archive"'}
{f'[ris]{chr(10)}address = "{ris}"{chr(10)}timeout_s = 2' if ris else ""}
[hl7]
listen = "127.0.0.1:{hl7_port}"
allowed_hosts = ["127.0.0.1"]
[delivery]
attempts = {attempts}
first_retry_s = 0.2
longest_retry_s = 1.0
"""
        + "\n".join(peers)
    )
    return file


@contextmanager
def running_node(
    file: Path, checkpoint: Checkpoint = no_checkpoint, receiver_command: Sequence[str] = COMMAND
) -> Iterator[NodeApp]:
    """Run the node of a trust file in this process, and its receivers, where it has some, in their own."""
    app = NodeApp(load_node_settings(file), checkpoint=checkpoint, receiver_command=receiver_command)
    app.start()
    try:
        yield app
    finally:
        app.stop()


def target_of(app: NodeApp, calling: str = "DCMTK", ods_code: str = "RXN") -> Target:
    """How DCMTK calls the node."""
    return Target(f"{ods_code}_NODE", app.dicom_port, calling)


def facts_of(app: NodeApp) -> list[FactBody]:
    """The facts a node without router has gathered so far."""
    return [body for _, _, body in app.store.outbox.pending(1000)[1]]


def spooled_objects(data_dir: Path) -> dict[str, bytes]:
    """What the spool of a node that does not run holds, in the order kept: location → data set."""
    spool = SegmentSpool(data_dir / "spool")
    try:
        found = [item.location for item in spool.unlisted(lambda _life: False, lambda _life: ())]
        return {location: bytes(spool.read_data_set(location)) for location in found}
    finally:
        spool.close()


def rot_in_spool(data_dir: Path, data_set: bytes) -> None:
    """Change the last byte of a data set where it lies in the spool of a node that does not run."""
    for file in (data_dir / "spool").rglob("*.seg"):
        content = bytearray(file.read_bytes())
        at = content.find(data_set)
        if at >= 0:
            content[at + len(data_set) - 1] ^= 1
            file.write_bytes(content)
            return
    raise AssertionError("the spool does not hold this data set")


def archived_digests(folder: Path) -> dict[str, str]:
    """What the embedded archive of the trust file in `folder` holds: SOP Instance UID → digest of the data set."""
    return {file.stem: digest_of_file(file) for file in (folder / "archive").glob("*/*/*.dcm")}
