"""A reader as a seed file says it."""

from router.config.readers import ReaderSeed
from router.model.reader import DeliveryMode, Level, Outsourcer, Profession, Reader, Workstation


def seeded_reader(seed: ReaderSeed, present: Reader | None = None) -> Reader:
    """What the file says, without credentials and sessions, which are records of their own.

    Whether the reader is active and how fast, `present` knows better, where the database has the reader.
    """
    outside = seed.outsourcer
    return Reader(
        id=seed.id,
        name=seed.name,
        registration=seed.registration,
        employer=seed.employer,
        modalities=frozenset(seed.modalities),
        subspecialties=frozenset(seed.subspecialties),
        workstation=Workstation(seed.workstation.node, seed.workstation.ae_title),
        active=present is None or present.active,
        profession=Profession(seed.profession),
        levels={name: Level[level.upper()] for name, level in seed.levels.items()},
        exam_scope=None if seed.exam_scope is None else frozenset(seed.exam_scope),
        speeds={} if present is None else present.speeds,
        max_run=seed.max_run,
        break_after_minutes=seed.break_after_minutes,
        display_valid_until=seed.display_valid_until,
        delivery=DeliveryMode(seed.delivery),
        outsourcer=None if outside is None else Outsourcer(outside.price_pence_per_read, outside.queue_limit),
    )
