"""What `check` says of the rules file that a router's file names: the same as the router says when it starts."""

from datetime import datetime
from pathlib import Path

from dicom_nodes.foundation.settings_file import SettingsError
from router.config import RouterSettings
from router.rules.routing_rules.checking import check
from router.rules.routing_rules.known_names import names_of_settings
from router.rules.routing_rules.rule_file import read_rules


def rules_findings(settings: RouterSettings, now: datetime) -> list[tuple[Path, str, str]]:
    """File, key and words of each error; warnings are for `readacross rules validate`."""
    file = settings.router.seeds.rules
    if file is None:
        return []
    try:
        errors = check(read_rules(file), names_of_settings(settings), now).errors
    except SettingsError as error:
        return [(file, key, words) for key, words in error.problems]
    return [(file, problem.where, problem.in_words) for problem in errors]
