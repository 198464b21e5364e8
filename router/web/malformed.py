"""What was expected of a body or a parameter: words of ours and bounds of our models, never the value that came.

A value may be a patient's name in the wrong field. So a library's message is not passed on, because it may quote its
input; each kind of error has words here that are filled from the model's own constraints only. A kind without words is
told by its fixed name.
"""

import re
from collections.abc import Mapping
from typing import Any

from dicom_nodes.foundation.expectation import Expectation

_A_TIME = "expected a date and time with its offset, such as 2026-11-27T09:00:00Z"
_A_DATE = "expected a date such as 2026-11-27"
_A_CLOCK_TIME = "expected a time of day such as 09:00"
_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "unknown field; is it misspelt?",
    "literal_error": "expected {expected}",
    "enum": "expected {expected}",
    "string_pattern_mismatch": "expected text of the form {pattern}",
    "string_too_short": "expected {min_length} characters or more",
    "string_too_long": "expected {max_length} characters at most",
    "too_short": "expected {min_length} entries or more",
    "too_long": "expected {max_length} entries at most",
    "greater_than": "expected more than {gt}",
    "greater_than_equal": "expected {ge} or more",
    "less_than": "expected less than {lt}",
    "less_than_equal": "expected {le} or less",
    "finite_number": "expected a finite number",
    "union_tag_invalid": "expected {discriminator} to be one of {expected_tags}",
    "union_tag_not_found": "expected {discriminator} to say which kind it is",
    "none_required": "expected null",
    "json_invalid": "is not JSON",
    "timezone_aware": _A_TIME,
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), "expected a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "expected a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "expected true or false"),
    **dict.fromkeys(("list_type", "tuple_type", "set_type"), "expected a list"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "expected an object"),
    **dict.fromkeys(("string_type", "string_unicode"), "expected text"),
    **dict.fromkeys(("datetime_type", "datetime_parsing", "datetime_from_date_parsing"), _A_TIME),
    **dict.fromkeys(("date_type", "date_parsing", "date_from_datetime_parsing"), _A_DATE),
    **dict.fromkeys(("date_from_datetime_inexact", "datetime_object_invalid"), _A_DATE),
    **dict.fromkeys(("time_type", "time_parsing"), _A_CLOCK_TIME),
}
_MODELS_OWN = frozenset(
    {
        "expected", "pattern", "min_length", "max_length", "gt", "ge", "lt", "le", "discriminator", "expected_tags",
    }
)  # fmt: skip
"""What the library says of the model; `tag`, `actual_length`, `input_value` and texts of `error` are of the input."""
_A_NAME = re.compile(r"[A-Za-z_][\w-]{0,39}")


def in_words(detail: Mapping[str, Any]) -> str:
    """One error of validation: where, and what was expected there."""
    return f"{'.'.join(_part(part) for part in detail['loc'])}: {_expected(detail)}"


def _expected(detail: Mapping[str, Any]) -> str:
    kind, said = detail["type"], detail.get("ctx") or {}
    if kind == "value_error":
        error = said.get("error")
        return str(error) if isinstance(error, Expectation) else "cannot be used"
    words = _WORDS.get(kind)
    return kind if words is None else words.format_map({name: said.get(name, "") for name in _MODELS_OWN})


def _part(part: object) -> str:
    """A place; a caller's own key is named only where it looks like a name of ours."""
    text = str(part)
    return text if isinstance(part, int) or _A_NAME.fullmatch(text) else "(key)"
