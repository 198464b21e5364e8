"""Which coded values of a report ask for an alert. A report holds many codes; this list says which of them count."""

from dataclasses import dataclass

from router.model.report import AlertCode

OWN_SCHEME = "99ALERT"


@dataclass(frozen=True, slots=True)
class AlertCodes:
    """`listed` are (scheme, value) of any trust; every code of one of `schemes` counts too, listed or not.

    Any trust's: whose patient it is may not be known yet, and a reader may use the codes of where they sit.
    """

    listed: frozenset[tuple[str, str]] = frozenset()
    schemes: frozenset[str] = frozenset({OWN_SCHEME})

    def ask(self, code: AlertCode) -> bool:
        """Whether this code asks for an alert; compared as it stands."""
        return code.scheme in self.schemes or (code.scheme, code.value) in self.listed
