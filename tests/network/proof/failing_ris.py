"""A RIS that fails in every way, and knows what it has filed: each MSH-10 once, however often it comes."""

import random
import socket
import time
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from readacross.demo.ris import END, START, MllpRis, acknowledgement
from tests.peers.hl7_oracle import field, report_text

Mood = Literal[
    "well", "silent", "hang up", "off", "AE", "AR", "other id", "files and hangs up", "files, half an answer", "slow"
]
FAILURES: tuple[Mood, ...] = (
    "silent", "hang up", "off", "AE", "AR", "other id", "files and hangs up", "files, half an answer", "slow",
)  # fmt: skip
TIMEOUT_S = 0.7
"""How long nodes wait for an answer."""
_STUDY_UID = "113014"


@dataclass(frozen=True, slots=True)
class Filing:
    """A message as it was filed, read without the node's parser."""

    control_id: str
    message: bytes

    @property
    def text(self) -> str:
        return report_text(self.message)

    @property
    def status(self) -> str:
        return field(self.message, "OBR", 25)

    @property
    def report_id(self) -> str:
        return field(self.message, "OBR", 3)

    @property
    def about(self) -> tuple[str, str, str]:
        """PID-3, ORC-3 and the Study Instance UID."""
        rows = [row.split("|") for row in self.message.decode().split("\r")]
        uid = next(row[5] for row in rows if row[0] == "OBX" and row[3].startswith(_STUDY_UID))
        return field(self.message, "PID", 3), field(self.message, "ORC", 3), uid


class FailingRis(MllpRis):
    """`mood` may change at any time. `filed` keeps the order of first filing."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance
        self.mood: Mood = "well"
        self.filed: dict[str, Filing] = {}
        self.last_answer: dict[str, str] = {}
        """Report id (OBR-3) → what was answered last."""
        self.answers: Counter[str] = Counter()
        self.repeats = 0
        self.changed: list[str] = []
        """Control ids that came with other bytes than before: a RIS that tells repeats by MSH-10 would lose one."""

    def be(self, mood: Mood) -> None:
        """Change the mood; `off` listens no more."""
        if self.mood == "off" and mood != "off":
            self.start()
        if mood == "off" and self.mood != "off":
            self.stop()
        self.mood = mood

    def _answer(self, connection: socket.socket, message: bytes) -> None:
        mood, control_id = self.mood, field(message, "MSH", 9)
        self.answers[mood] += 1
        if mood in {"well", "slow", "files and hangs up", "files, half an answer"}:
            self._file(control_id, message)
        code = mood if mood in {"AE", "AR"} else "AA" if mood in {"well", "slow"} else "none"
        self.last_answer[field(message, "OBR", 3)] = code
        if mood == "slow":
            time.sleep(self._chance.uniform(0, 1.4 * TIMEOUT_S))
        self._say(connection, message, mood)

    def _file(self, control_id: str, message: bytes) -> None:
        with self._lock:
            known = self.filed.setdefault(control_id, Filing(control_id, message))
        self.repeats += known.message is not message
        if known.message != message:
            self.changed.append(control_id)

    def _say(self, connection: socket.socket, message: bytes, mood: Mood) -> None:
        whole = START + acknowledgement(message, "AE" if mood == "AE" else "AR" if mood == "AR" else "AA") + END
        match mood:
            case "silent" | "off":
                return
            case "hang up" | "files and hangs up":
                self._hang_up(connection)
            case "files, half an answer":
                connection.sendall(whole[: len(whole) // 2])
                self._hang_up(connection)
            case "other id":
                own = message.split(b"|", 10)[9]
                connection.sendall(whole.replace(b"|" + own + b"|", b"|ANOTHER|"))
            case _:
                connection.sendall(whole)
