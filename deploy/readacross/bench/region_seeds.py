"""An invented region for `bench region`: trusts with nodes, exams, pathways and readers, as a router's seed files."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from router.model.reader import Credential, Level, Reader, Workstation
from router.model.session import Session

SUBSPECIALTIES = ("neuro", "chest", "abdomen", "msk", "paediatric", "breast", "nuclear", "general")
INSTANCES = {"CR": 2, "CT": 300, "US": 30, "MR": 200, "NM": 4}
"""Images of a study by modality."""
_SHARES = {"CR": 45, "CT": 25, "US": 10, "MR": 18, "NM": 2}
_MINUTES = {"CR": 2.0, "CT": 12.0, "US": 6.0, "MR": 14.0, "NM": 10.0}
_PATHWAYS = (("emergency", 60, 60, 3), ("inpatient", 720, 20, 27), ("cancer", 4320, 10, 20), ("routine", 40320, 1, 50))
"""Pathway, target in minutes, weight, share of arrivals in per cent."""
_LEVELS = (Level.GENERAL, Level.SPECIAL_INTEREST, Level.SPECIALIST)


@dataclass(frozen=True, slots=True)
class InventedExam:
    """`share` is how often it is asked for, beside the others."""

    code: str
    modality: str
    subspecialty: str
    pathway: str
    share: float


def trusts(count: int) -> list[str]:
    """ODS codes that belong to nobody."""
    return [f"ZX{number:02}" for number in range(count)]


def exams() -> list[InventedExam]:
    """One of every modality and subspecialty in an everyday pathway, and emergency CT of each subspecialty."""
    everyday = _PATHWAYS[1:]
    found = []
    for number, (modality, subspecialty) in enumerate((m, s) for m in _SHARES for s in SUBSPECIALTIES):
        pathway, _, _, share = everyday[number % len(everyday)]
        code = f"{modality}{subspecialty[:4].upper()}"
        found.append(InventedExam(code, modality, subspecialty, pathway, _SHARES[modality] * share))
    acute = _PATHWAYS[0][3] / 100 * sum(exam.share for exam in found) / len(SUBSPECIALTIES)
    return found + [InventedExam(f"CTE{s[:4].upper()}", "CT", s, "emergency", acute) for s in SUBSPECIALTIES]


def write_settings(folder: Path, listen: str, database_url: str, trust_codes: list[str], plan_every_s: float) -> Path:
    """The router's file and its seeds, without readers; returns the router's file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "network.toml").write_text("".join(_network(trust_codes)))
    (folder / "readers.toml").write_text("")
    (folder / "routing.toml").write_text("".join(_routing()))
    (folder / "pathways.toml").write_text("".join(_pathways()))
    file = folder / "router.toml"
    file.write_text(
        f'[router]\nlisten = "{listen}"\ndatabase_url = "{database_url}"\nplan_every_s = {plan_every_s}\n'
        '[router.seeds]\nnetwork = "network.toml"\nreaders = "readers.toml"\nrouting = "routing.toml"\n'
        'pathways = "pathways.toml"\n'
    )
    return file


def readers(count: int, trust_codes: list[str], now: datetime) -> Iterator[tuple[Reader, Session]]:
    """Readers with a session that is open all the time, credentialed for most trusts, four subspecialties each."""
    chance = random.Random(count)
    for number in range(count):
        known = chance.sample(SUBSPECIALTIES, 4)
        reader = Reader(
            id=f"p{number:04}",
            name=f"Reader {number}",
            registration=f"C{number:07}",
            employer=chance.choice(trust_codes),
            modalities=frozenset(chance.sample(list(_SHARES), 4)),
            subspecialties=frozenset(known),
            workstation=Workstation(chance.choice(trust_codes), f"WS{number:04}"),
            credentials=tuple(
                Credential(f"c{number}-{trust}", trust, now - timedelta(days=9), now + timedelta(days=9))
                for trust in trust_codes
                if chance.random() < 0.6
            ),
            levels={name: chance.choice(_LEVELS) for name in known},
        )
        begins, ends = now - timedelta(hours=1), now + timedelta(hours=chance.uniform(6, 9))
        yield reader, Session(f"s{number}", reader.id, begins, ends, capacity_minutes=100_000.0)


def _network(trust_codes: list[str]) -> Iterator[str]:
    for number, code in enumerate(trust_codes):
        yield f'[[trusts]]\nods_code = "{code}"\nname = "Trust {number}"\n'
    for number, code in enumerate(trust_codes):
        yield f'[[nodes]]\nods_code = "{code}"\nae_title = "{code}_NODE"\nhost = "127.0.0.1"\nport = {11000 + number}\n'


def _routing() -> Iterator[str]:
    listed = ", ".join(f'"{modality}"' for modality in _SHARES)
    yield f"readable_modalities = [{listed}]\n[priorities]\nunused = 1.0\n"
    for exam in exams():
        yield f'[[exams]]\ncode = "{exam.code}"\nsubspecialty = "{exam.subspecialty}"\n'
        yield f'minutes = {_MINUTES[exam.modality]}\npriority = "{exam.pathway}"\n'
        yield f'group = "{exam.modality.lower()}_{exam.subspecialty}"\n'


def _pathways() -> Iterator[str]:
    for name, target, weight, _ in _PATHWAYS:
        acute = "true" if name == "emergency" else "false"
        yield f'[[pathways]]\nid = "{name}"\ntarget_minutes = {target}\nweight = {weight}\nacute = {acute}\n'
