"""The rules file of the settings: the first one routes from the start; a changed one becomes a draft that waits.

A file that cannot be used stops the start: a router that silently routes without its rules is worse than one that says
what is wrong with them.
"""

import hashlib
from datetime import datetime

from dicom_nodes.foundation.settings_file import SettingsError
from router.config import RouterSettings
from router.flows.rule_sets import activate, create_draft, validate
from router.rules.routing_rules.rule_file import read_rules
from router.store.transaction import SqlStore

AUTHOR = "seed file"


def load_rule_seed(store: SqlStore, settings: RouterSettings, now: datetime) -> None:
    """Bring the rules file in, once for each content.

    Raises:
        SettingsError: it cannot be read, or holds errors.
    """
    file = settings.router.seeds.rules
    if file is None:
        return
    text = read_rules(file)
    digest = hashlib.sha256(text.encode()).hexdigest()
    with store.write() as tx:
        tx.rule_sets.lock()
        known = list(tx.rule_sets.listing())
        if any(rule_set.digest == digest for rule_set in known):
            return
        version = create_draft(tx, text, f"from {file.name}", AUTHOR, now).rule_set.version
        _, problems = validate(tx, version, AUTHOR, settings.routing, now)
        errors = [problem for problem in problems if problem.severity == "error"]
        if errors:
            raise SettingsError(file, [(problem.where, problem.in_words) for problem in errors])
        if not known and not settings.router.rules_need_second_person:
            activate(tx, version, AUTHOR, settings.routing, now, needs_second_person=False)
