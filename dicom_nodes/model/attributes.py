"""Attributes by DICOM keyword, as the workflow services exchange them: text, or items of a sequence."""

from typing import TypeAlias, Union

Attributes: TypeAlias = dict[str, Union[str, list["Attributes"]]]  # noqa: UP007 (a recursive alias needs Union)
"""Several values of an element are joined by backslashes; an absent element has no entry, an empty one is ``""``."""


def text_of(attributes: Attributes, keyword: str) -> str:
    """The element's text; empty when it is absent, empty or a sequence."""
    value = attributes.get(keyword, "")
    return value if isinstance(value, str) else ""


def items_of(attributes: Attributes, keyword: str) -> list[Attributes]:
    """The sequence's items; none when it is absent or no sequence."""
    value = attributes.get(keyword, [])
    return value if isinstance(value, list) else []
