"""What one seed file says of another: whatever does not fit is named by key, with what was expected."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from router.alert_settings import alert_problems
from router.config.network import NetworkFile
from router.config.readers import ReaderSeed
from router.config.routing import RoutingFile
from router.config.settings import RouterSettings


def cross_check(settings: RouterSettings) -> Iterator[tuple[Path, list[tuple[str, str]]]]:
    """Each file with its problems as (key, reason)."""
    seeds, file = settings.router.seeds, settings.file
    yield seeds.network, list(_network_problems(settings.network))
    yield seeds.readers, list(_reader_problems(settings))
    yield seeds.routing, list(_routing_problems(settings.routing))
    yield seeds.pathways or file, list(_pathway_problems(settings))
    yield seeds.aid or file, list(_aid_problems(settings))
    yield settings.router.alerts or file, list(_alert_problems(settings))
    yield file, list(_code_problems(settings))


def _twice(values: Sequence[str], key: str, field: str) -> Iterator[tuple[str, str]]:
    for number, value in enumerate(values):
        if value in values[:number]:
            yield f"{key}[{number}].{field}", f"{value!r} is used twice"


def _network_problems(network: NetworkFile) -> Iterator[tuple[str, str]]:
    known = [trust.ods_code for trust in network.trusts]
    yield from _twice(known, "trusts", "ods_code")
    yield from _twice([node.ods_code for node in network.nodes], "nodes", "ods_code")
    yield from _twice([node.ae_title for node in network.nodes], "nodes", "ae_title")
    for number, node in enumerate(network.nodes):
        if node.ods_code not in known:
            yield f"nodes[{number}].ods_code", f"expected one of the trusts in this file, got {node.ods_code!r}"


def _reader_problems(settings: RouterSettings) -> Iterator[tuple[str, str]]:
    trusts = {trust.ods_code for trust in settings.network.trusts}
    nodes = {node.ods_code for node in settings.network.nodes}
    subspecialties = {rule.subspecialty for rule in settings.routing.exams}
    subspecialties |= {row.subspecialty for rows in settings.codes.values() for row in rows}
    network = settings.router.seeds.network.name
    readers = settings.readers.readers
    yield from _twice([reader.id for reader in readers], "readers", "id")
    yield from _twice([reader.registration for reader in readers], "readers", "registration")
    for number, reader in enumerate(readers):
        key = f"readers[{number}]"
        if reader.employer not in trusts:
            yield f"{key}.employer", f"expected a trust of {network}, got {reader.employer!r}"
        if reader.workstation.node not in nodes:
            yield f"{key}.workstation.node", f"expected a node of {network}, got {reader.workstation.node!r}"
        yield from _overlapping_sessions(key, reader)
        for place, credential in enumerate(reader.credentials):
            if credential.trust not in trusts:
                yield f"{key}.credentials[{place}].trust", f"expected a trust of {network}, got {credential.trust!r}"
        for name in sorted(set(reader.levels) - subspecialties):
            yield f"{key}.levels", f"expected a subspecialty of the exam table or a code map, got {name!r}"
        for place, name in enumerate(reader.subspecialties):
            if name not in subspecialties:
                expected = f"expected a subspecialty of the exam table or a code map, got {name!r}"
                yield f"{key}.subspecialties[{place}]", expected


def _overlapping_sessions(key: str, reader: ReaderSeed) -> Iterator[tuple[str, str]]:
    for place, session in enumerate(reader.sessions):
        for before, other in enumerate(reader.sessions[:place]):
            if session.start < other.end and other.start < session.end:
                yield f"{key}.sessions[{place}]", f"overlaps sessions[{before}]"


def _routing_problems(routing: RoutingFile) -> Iterator[tuple[str, str]]:
    asked = {f"urgencies.{urgency}": name for urgency, name in routing.urgencies.items()}
    if routing.suspected_cancer_priority is not None:
        asked["suspected_cancer_priority"] = routing.suspected_cancer_priority
    for place, priority in asked.items():
        if priority not in routing.priorities:
            yield place, f"expected one of {sorted(routing.priorities)}, got {priority!r}"
    seen: set[tuple[object, ...]] = set()
    for number, rule in enumerate(routing.exams):
        key = f"exams[{number}]"
        if rule.priority not in routing.priorities:
            yield f"{key}.priority", f"expected one of {sorted(routing.priorities)}, got {rule.priority!r}"
        for modality in rule.modalities:
            if modality not in routing.readable_modalities:
                yield f"{key}.modalities", f"expected readable modalities only, got {modality!r}"
        name = (rule.code, rule.scheme, frozenset(rule.modalities), (rule.body_part or "").upper())
        if name in seen:
            yield key, "the same exam is listed twice"
        seen.add(name)
    for modality in set(routing.readable_modalities) & set(routing.ignored_modalities):
        yield "ignored_modalities", f"{modality!r} is also readable"


def _pathway_problems(settings: RouterSettings) -> Iterator[tuple[str, str]]:
    pathways = settings.pathways.pathways
    yield from _twice([pathway.id for pathway in pathways], "pathways", "id")
    for number, pathway in enumerate(pathways):
        hours = settings.routing.priorities[pathway.id]
        if abs(hours * 60 - pathway.target_minutes) > 1e-6:
            expected = f"expected {hours * 60:g}, as the priority of this name in {settings.router.seeds.routing.name}"
            yield f"pathways[{number}].target_minutes", f"{expected}, got {pathway.target_minutes:g}"


def _aid_problems(settings: RouterSettings) -> Iterator[tuple[str, str]]:
    trusts = {trust.ods_code for trust in settings.network.trusts}
    network = settings.router.seeds.network.name
    yield from _twice([aid.trust for aid in settings.aid.aid], "aid", "trust")
    for number, aid in enumerate(settings.aid.aid):
        if aid.trust not in trusts:
            yield f"aid[{number}].trust", f"expected a trust of {network}, got {aid.trust!r}"
        for place, code in enumerate(aid.reads_for):
            if code not in trusts:
                yield f"aid[{number}].reads_for[{place}]", f"expected a trust of {network}, got {code!r}"
        if aid.trust in aid.reads_for:
            yield f"aid[{number}].reads_for", "a trust needs no agreement with itself"


def _alert_problems(settings: RouterSettings) -> Iterator[tuple[str, str]]:
    trusts = {trust.ods_code for trust in settings.network.trusts}
    return alert_problems(settings.alerts, trusts, settings.router.seeds.network.name)


def _code_problems(settings: RouterSettings) -> Iterator[tuple[str, str]]:
    trusts = {trust.ods_code for trust in settings.network.trusts}
    for trust, rows in settings.codes.items():
        key = f"router.seeds.codes.{trust}"
        if trust not in trusts:
            yield key, f"expected a trust of {settings.router.seeds.network.name}, got {trust!r}"
        for unknown in sorted({row.pathway for row in rows} - set(settings.routing.priorities)):
            yield key, f"expected pathways of {sorted(settings.routing.priorities)}, got {unknown!r}"
