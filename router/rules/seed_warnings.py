"""What seed files may say and hardly mean: told at start and by `check`, and no reason not to start.

A credential that ran out stays in the file as history, and must not keep a router from starting the day after; a code
map in the database may know an exam group that no file has.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from router.config import ReadersFile, RouterSettings
from router.config.readers import ReaderSeed, SessionSeed
from router.model.reader import Credential
from router.model.session import Session
from router.rules.known_exams import ExamNames, KnownExams, group_problems, modality_problems, scope_problems
from router.rules.rota import capacity_problem, entitlement_warnings
from router.rules.seed_reader import seeded_reader


def seed_warnings(settings: RouterSettings, now: datetime) -> Iterator[tuple[Path, str, str]]:
    """(file, key, what is odd) of readers and aid limits."""
    seeds = settings.router.seeds
    rows = (row for rows in settings.codes.values() for row in rows)
    known = KnownExams.of(settings.routing, (ExamNames(r.subspecialty, r.group, r.standard_code) for r in rows))
    yield from ((seeds.readers, key, words) for key, words in reader_warnings(settings.readers, now))
    for number, reader in enumerate(settings.readers.readers):
        key = f"readers[{number}]"
        yield from (
            (seeds.readers, f"{key}.modalities", words) for words in modality_problems(known, reader.modalities)
        )
        yield from ((seeds.readers, f"{key}.exam_scope", words) for words in scope_problems(known, reader.exam_scope))
        for place, session in enumerate(reader.sessions):
            found = _session_warnings(reader, session, now)
            yield from ((seeds.readers, f"{key}.sessions[{place}]", words) for words in found)
    for number, aid in enumerate(settings.aid.aid):
        for field, groups in (("group_minutes_out", aid.group_minutes_out), ("group_minutes_in", aid.group_minutes_in)):
            for words in group_problems(known, groups):
                yield seeds.aid or settings.file, f"aid[{number}].{field}", words


def _session_warnings(seed: ReaderSeed, booked: SessionSeed, now: datetime) -> Iterator[str]:
    """Of a session that is not over, as the API says it."""
    if booked.end <= now:
        return
    credentials = tuple(Credential("", c.trust, c.valid_from, c.valid_until) for c in seed.credentials)
    reader = replace(seeded_reader(seed), credentials=credentials)
    session = Session("", seed.id, booked.start, booked.end, booked.capacity_reads, booked.capacity_minutes)
    if problem := capacity_problem(session, reader):
        yield problem
    yield from (warning.reason for warning in entitlement_warnings([("", session)], {seed.id: reader}))


def reader_warnings(file: ReadersFile, now: datetime) -> Iterator[tuple[str, str]]:
    """(key, what is odd) of credentials and display checks that have ended."""
    for number, reader in enumerate(file.readers):
        key = f"readers[{number}]"
        for place, credential in enumerate(reader.credentials):
            if credential.valid_until <= now:
                ended = f"{credential.valid_until:%Y-%m-%d}"
                words = f"the credential of {reader.id} for {credential.trust} expired on {ended}"
                renewed = any(c.trust == credential.trust and c.valid_until > now for c in reader.credentials)
                words += "; a later one is here" if renewed else f"; {reader.id} reads nothing of {credential.trust}"
                yield f"{key}.credentials[{place}].valid_until", words
        if reader.display_valid_until is not None and reader.display_valid_until <= now:
            ended = f"{reader.display_valid_until:%Y-%m-%d}"
            words = f"the display check of {reader.id} ended on {ended}; {reader.id} is given nothing"
            yield f"{key}.display_valid_until", words
