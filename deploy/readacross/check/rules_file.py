"""What `check` says of the rules file that a router's file names: the same as the router says when it starts."""

from datetime import datetime
from pathlib import Path

from dicom_nodes.foundation.settings_file import SettingsError
from router.config import RouterSettings
from router.rules.routing_rules.checking import check
from router.rules.routing_rules.known_names import names_of_settings
from router.rules.routing_rules.rule_file import read_rules


def rules_findings(settings: RouterSettings, now: datetime) -> list[tuple[Path, str, str]]:
    """File, key and words of each error."""
    return _problems(settings, now, "error")


def rules_warnings(settings: RouterSettings, now: datetime) -> list[tuple[Path, str, str]]:
    """The same of what can be used and is hardly meant, such as a rule that never matches."""
    return [*_waits_for_two(settings), *_problems(settings, now, "warning")]


def _waits_for_two(settings: RouterSettings) -> list[tuple[Path, str, str]]:
    """Of files alone it cannot be told what is active: so what a start with an empty database means is said."""
    if not settings.router.rules_need_second_person:
        return []
    file = settings.router.seeds.rules
    what = "no rules file is named" if file is None else f"{file.name} waits as a draft"
    words = (
        f"two persons let a rule set in: {what}, and on a router without an active rule set no rule applies until "
        "another administrator approves one and it is activated (the router's /health and human queue say so)"
    )
    return [(settings.file, "router.rules_need_second_person", words)]


def _problems(settings: RouterSettings, now: datetime, severity: str) -> list[tuple[Path, str, str]]:
    file = settings.router.seeds.rules
    if file is None:
        return []
    try:
        problems = check(read_rules(file), names_of_settings(settings), now).problems
    except SettingsError as error:
        return [(file, key, words) for key, words in error.problems] if severity == "error" else []
    return [(file, problem.where, problem.in_words) for problem in problems if problem.severity == severity]
