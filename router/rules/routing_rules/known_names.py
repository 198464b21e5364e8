"""Names that rules may use, as the network has them: what is not among them is misspelt, or gone."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from router.code_map import ExamCodeRow
from router.config import RouterSettings, RoutingFile
from router.model.pathway import PATHWAY_IDS, Pathway
from router.model.reader import Reader
from router.model.trust import Trust


@dataclass(frozen=True, slots=True)
class KnownNames:
    """Each by its kind; None where it is not known what there is, so that nothing is held against a name."""

    subspecialties: frozenset[str] | None = None
    priorities: frozenset[str] | None = None
    pathways: frozenset[str] | None = frozenset(PATHWAY_IDS)
    readers: frozenset[str] | None = None
    trusts: frozenset[str] | None = None
    modalities: frozenset[str] | None = None
    exam_codes: frozenset[str] | None = None

    def of(self, kind: str | None) -> frozenset[str] | None:
        """What is known of this kind of name, as `Name.values` calls it."""
        by_kind: Mapping[str, frozenset[str] | None] = {
            "subspecialties": self.subspecialties,
            "priorities": self.priorities,
            "pathways": self.pathways,
            "readers": self.readers,
            "trusts": self.trusts,
            "modalities": self.modalities,
            "exam_codes": self.exam_codes,
        }
        return by_kind.get(kind or "")


def known_names(
    routing: RoutingFile,
    readers: Iterable[Reader],
    trusts: Iterable[Trust],
    pathways: Iterable[Pathway],
    mapped_codes: Iterable[str],
) -> KnownNames:
    """What this network has; `mapped_codes` are those of its code maps."""
    people = list(readers)
    subspecialties = {exam.subspecialty for exam in routing.exams}
    return KnownNames(
        subspecialties=frozenset(subspecialties.union(*(reader.subspecialties for reader in people))),
        priorities=frozenset(routing.priorities),
        pathways=frozenset({*PATHWAY_IDS, *(pathway.id for pathway in pathways)}),
        readers=frozenset(reader.id for reader in people),
        trusts=frozenset(trust.ods_code for trust in trusts),
        modalities=frozenset(routing.readable_modalities),
        exam_codes=_exam_codes(routing, mapped_codes),
    )


def names_of_settings(settings: RouterSettings) -> KnownNames:
    """What the router's seeds have, where there is no database to ask."""
    readers = settings.readers.readers
    subspecialties = {exam.subspecialty for exam in settings.routing.exams}
    return KnownNames(
        subspecialties=frozenset(subspecialties.union(*(reader.subspecialties for reader in readers))),
        priorities=frozenset(settings.routing.priorities),
        pathways=frozenset({*PATHWAY_IDS, *(pathway.id for pathway in settings.pathways.pathways)}),
        readers=frozenset(reader.id for reader in readers),
        trusts=frozenset(trust.ods_code for trust in settings.network.trusts),
        modalities=frozenset(settings.routing.readable_modalities),
        exam_codes=_exam_codes(
            settings.routing, (code for rows in settings.codes.values() for code in _codes_in(rows))
        ),
    )


def _codes_in(rows: Iterable[ExamCodeRow]) -> Iterator[str]:
    for row in rows:
        yield from (row.local_code, row.standard_code)


def _exam_codes(routing: RoutingFile, mapped: Iterable[str]) -> frozenset[str] | None:
    """None where nobody has written any code down, so that none is held against a rule."""
    return frozenset({*mapped, *(exam.code for exam in routing.exams if exam.code is not None)}) or None
