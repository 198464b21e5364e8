"""Who wrote, verified and helped with a document (DICOM PS3.3 C.17.2: observers and participants)."""

from collections.abc import Iterator

from dicom_nodes.documents.content import code_value, observer_names
from dicom_nodes.documents.elements import Item
from dicom_nodes.model.report import ReportAuthor


def read_authors(document: Item) -> tuple[ReportAuthor, ...]:
    """Who signs first: the verifying observer, else the author; then everybody else who is named."""
    verifiers = [_verifier(item) for item in document.items("VerifyingObserverSequence")]
    authors = [_person(item) for item in document.items("AuthorObserverSequence") if _is_person(item)]
    if not authors:
        authors = [_person(item) for item in document.items("PhysiciansReadingStudyIdentificationSequence")]
    if not authors and not verifiers:
        authors = [ReportAuthor(None, name) for name in observer_names(document)]
    helpers = [_person(item) for item in document.items("ParticipantSequence") if _is_person(item)]
    written_by = {_key(author) for author in authors}
    named = [one if _key(one) not in written_by else _as_author(one) for one in verifiers]
    named += [*authors, *(ReportAuthor(one.registration, one.name, "assistant") for one in helpers)]
    return tuple(_distinct(named))


def _distinct(named: list[ReportAuthor]) -> Iterator[ReportAuthor]:
    seen: set[str | None] = {None}
    for one in named:
        if _key(one) not in seen:
            seen.add(_key(one))
            yield one


def _key(person: ReportAuthor) -> str | None:
    return person.registration or person.name


def _as_author(person: ReportAuthor) -> ReportAuthor:
    return ReportAuthor(person.registration, person.name)


def _is_person(item: Item) -> bool:
    return item.text("ObserverType") != "DEV"


def _verifier(item: Item) -> ReportAuthor:
    codes = item.items("VerifyingObserverIdentificationCodeSequence")
    return ReportAuthor(_registration(codes), item.text("VerifyingObserverName") or None, "verifier")


def _person(item: Item) -> ReportAuthor:
    codes = item.items("PersonIdentificationCodeSequence")
    return ReportAuthor(_registration(codes), item.text("PersonName") or None)


def _registration(codes: list[Item]) -> str | None:
    """The first code; seven digits under a scheme that names the GMC get their `C`."""
    if not codes:
        return None
    value, scheme = code_value(codes[0]), codes[0].text("CodingSchemeDesignator")
    if "GMC" in scheme.upper() and len(value) == 7 and value.isdigit():
        return f"C{value}"
    return value or None
