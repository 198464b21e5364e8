"""C-GET and C-MOVE of a study, timed, by a requester that acknowledges at once.

`retrieve` works in the caller's process. As a process of its own, for measuring, the module takes one line of JSON
(`Retrieval`) on standard input and prints one (`Got`).
"""

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

from dicom_nodes.upper_layer.command_set import CommandField
from dicom_nodes.upper_layer.presentation_contexts import ProposedContext
from readacross.bench.queries import STUDY_ROOT_GET, STUDY_ROOT_MOVE, ask, is_pending, query_context
from readacross.bench.receiver import Received, success
from readacross.bench.synthetic import TRANSFER_SYNTAX
from readacross.bench.wire import connected

_SILENCE_S = 120.0
_STORAGE_CONTEXT = 3


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What to ask of whom: a C-MOVE where there is a destination, otherwise a C-GET."""

    host: str
    port: int
    called: str
    calling: str
    study_instance_uid: str
    sop_class_uid: str
    destination: str | None = None
    with_digests: bool = False


@dataclass(frozen=True, slots=True)
class Got:
    """How it went; times of CLOCK_MONOTONIC, counts as the final response says. A C-MOVE brings no instances here."""

    asked_s: float
    ended_s: float
    status: int
    completed: int
    failed: int
    received: Received


def retrieve(task: Retrieval) -> Got:
    """Retrieve a study.

    Raises:
        AssociationEnded: refused or broken.
    """
    model = STUDY_ROOT_MOVE if task.destination else STUDY_ROOT_GET
    what = CommandField.C_MOVE_RQ if task.destination else CommandField.C_GET_RQ
    contexts, roles = [query_context(model)], []
    if not task.destination:
        contexts.append(ProposedContext(_STORAGE_CONTEXT, task.sop_class_uid, (TRANSFER_SYNTAX,)))
        roles.append(task.sop_class_uid)
    wire = connected(task.host, task.port, _SILENCE_S)
    wire.request(task.called, task.calling, contexts, roles=roles)
    received = Received(with_digests=task.with_digests)
    keys = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": task.study_instance_uid}
    asked_s = time.monotonic()
    ask(wire, what, model, 1, task.destination, **keys)
    while True:
        message = wire.receive(lambda command: received.sink(command) if not command.is_response else None)
        if message.command.command_field == CommandField.C_STORE_RQ:
            received.note(message)
            wire.send_message(message.context_id, success(message))
        elif not is_pending(message):
            break
    ended_s, final = time.monotonic(), message.command
    wire.release()
    completed, failed = final.number_of_completed_suboperations or 0, final.number_of_failed_suboperations or 0
    return Got(asked_s, ended_s, final.status or 0, completed, failed, received)


def retrieve_in_process(task: Retrieval) -> Got:
    """The same in a process of its own.

    Raises:
        RuntimeError: it failed; says how.
    """
    command = [sys.executable, "-m", "readacross.bench.getter"]
    done = subprocess.run(command, input=json.dumps(asdict(task)), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().rpartition("\n")[2])
    values = json.loads(done.stdout)
    return Got(**(values | {"received": Received(**values["received"])}))


if __name__ == "__main__":
    print(json.dumps(asdict(retrieve(Retrieval(**json.loads(sys.stdin.readline()))))))
