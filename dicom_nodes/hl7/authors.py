"""Who wrote, verified and helped with a report: OBR-32, 33, 35, ORC-11 and OBX-16 (ADR 104).

A registration counts by who gave it (GMC, HCPC, NMC): a number of another authority, such as a hospital's user id, is
no registration. Where no authority is said the number is taken as one. ORC-12 is who asked for the examination.
"""

from collections.abc import Iterator, Sequence

from dicom_nodes.hl7.faults import ErrorCode
from dicom_nodes.hl7.message import Field, Segment
from dicom_nodes.model.report import AuthorRole, ReportAuthor

_REGISTERS = {
    "GMC": "GMC", "HCPC": "HCPC", "HPC": "HCPC", "NMC": "NMC",
    "HTTPS://FHIR.HL7.ORG.UK/ID/GMC-NUMBER": "GMC", "HTTPS://FHIR.HL7.ORG.UK/ID/HCPC-NUMBER": "HCPC",
    "HTTPS://FHIR.HL7.ORG.UK/ID/NMC-NUMBER": "NMC",
}  # fmt: skip
_NDL_FIELDS = frozenset({32, 33, 35})


def read_authors(orc: Sequence[Segment], obr: Sequence[Segment], texts: Sequence[Segment]) -> tuple[ReportAuthor, ...]:
    """Everybody named, who signs first: OBR-32, else OBX-16, else ORC-11.

    Raises:
        Hl7Fault: OBRs of one report that name different interpreters.
    """
    signers = list(_people(_same(obr, 32), 32))
    observers = list(dict.fromkeys(person for text in texts for person in _people(text, 16)))
    verifiers = list(dict.fromkeys(person for order in orc for person in _people(order, 11)))
    signer = _only(signers) or _only(observers) or _only(verifiers)
    named: list[ReportAuthor] = [_as(signer, "author")] if signer is not None else []
    named += [_as(person, "author") for person in signers]
    named += [_as(person, "verifier") for person in (*observers, *verifiers)]
    named += [_as(person, "assistant") for field in (33, 35) for order in obr for person in _people(order, field)]
    distinct: dict[tuple[str | None, str | None], ReportAuthor] = {}
    for person in named:
        distinct.setdefault((person.registration, person.name if person.registration is None else None), person)
    return tuple(distinct.values())


def signer_of(authors: Sequence[ReportAuthor]) -> ReportAuthor:
    """The one who signs; nobody where none is named."""
    return authors[0] if authors and authors[0].role == "author" else ReportAuthor(None)


def _only(people: Sequence[ReportAuthor]) -> ReportAuthor | None:
    """Nobody signs where several could."""
    return people[0] if len(people) == 1 else None


def _as(person: ReportAuthor, role: AuthorRole) -> ReportAuthor:
    return ReportAuthor(person.registration, person.name, role)


def _same(orders: Sequence[Segment], field: int) -> Segment:
    """The first OBR, having checked that no other of the report contradicts its field."""
    first = next((order for order in orders if order.raw_field(field)), orders[0])
    for order in orders:
        if order.raw_field(field) not in {b"", first.raw_field(field)}:
            raise order.fault(field, "differs from the OBR's before it of the same report", ErrorCode.DATA_TYPE)
    return first


def _people(segment: Segment, number: int) -> Iterator[ReportAuthor]:
    """The people of a field; repetitions of one name are one person's several numbers, the registration is taken."""
    by_name: dict[str, ReportAuthor] = {}
    for field in segment.repetitions(number):
        person = _person(field, is_ndl=number in _NDL_FIELDS)
        if person.registration is None and person.name is None:
            continue
        key = person.name or person.registration or ""
        if key not in by_name or by_name[key].registration is None:
            by_name[key] = person
    yield from by_name.values()


def _person(field: Field, *, is_ndl: bool) -> ReportAuthor:
    """NDL as the standard has it (its first component is a CNN), or XCN as many systems send it."""
    if is_ndl and field.has_subcomponents(1):
        number, family, given, middle, suffix, prefix = (field.component(1, n) for n in range(1, 7))
        authority = field.component(1, 9) or field.component(1, 10)
    else:
        number, family, given, middle, suffix, prefix = (field.component(n) for n in range(1, 7))
        authority = field.component(9) or field.component(9, 2)
        if family.isdigit():  # NDL's second component: when the work began
            family = given = middle = suffix = prefix = authority = ""
    name = "^".join([family, given, middle, prefix, suffix]).rstrip("^")
    return ReportAuthor(_registration(number, authority), name or None)


def _registration(number: str, authority: str) -> str | None:
    """`C1234567` for the GMC's seven digits; as it stands for other registers and where no authority is said."""
    register = _REGISTERS.get(authority.upper()) if authority else "unsaid"
    if not number or register is None:
        return None
    return f"C{number}" if register == "GMC" and len(number) == 7 and number.isdigit() else number
