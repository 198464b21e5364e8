r"""A report's text as the segments that a RIS wants: one OBX with `\.br\`, an OBX a line, repetitions, or notes.

Lines are broken at blanks where the RIS takes no longer ones; a word is never cut, and nothing is left out.
"""

import re
from collections.abc import Iterator, Sequence

from dicom_nodes.hl7.escapes import escape
from dicom_nodes.model.loss import Loss, LossKind
from dicom_nodes.report_settings import OruHabits

_LINE_END = re.compile(r"\r\n|\r|\n")


def lines_of(text: str, habits: OruHabits) -> list[str]:
    r"""The text's lines, none longer than the RIS takes unless a word is. One OBX keeps CR as it is (`\X0D\`)."""
    lines = text.split("\n") if habits.text == "one_obx" else _LINE_END.split(text)
    return lines if habits.longest_line is None else list(_broken(lines, habits.longest_line))


def values_of(lines: Sequence[str], habits: OruHabits) -> list[str]:
    """The escaped values: one of the whole text, or one a line (which its reader joins again by line ends)."""
    if habits.text == "one_obx":
        return [escape("\n".join(lines), line_breaks=True)]
    return [escape(line) for line in lines]


def text_segments(
    values: Sequence[str], habits: OruHabits, status: str, first_set_id: int, has_sub_id: bool
) -> list[str]:
    """The values as OBX or NTE segments, without their ends; OBX of the same OBX-3 are told apart by OBX-4."""
    if habits.text == "nte_per_line":
        return [f"NTE|{number}|L|{value}" for number, value in enumerate(values, 1)]
    fields = ["~".join(values)] if habits.text == "repetitions" else values
    has_sub_id = has_sub_id or len(fields) > 1
    return [
        f"OBX|{first_set_id + at}|{habits.value_type}|{habits.text_code}|{at + 1 if has_sub_id else ''}|{value}"
        f"||||||{status}"
        for at, value in enumerate(fields)
    ]


def too_long(lines: Sequence[str], values: Sequence[str], habits: OruHabits, codec: str) -> Iterator[Loss]:
    """What does not fit however it is broken."""
    longest = habits.longest_line
    if longest is not None and any(len(line) > longest for line in lines):
        words = f"a line that cannot be broken is longer than reports.oru.longest_line ({longest})"
        yield Loss(LossKind.LENGTH, words, changes_meaning=True)
    fields = ["~".join(values)] if habits.text == "repetitions" else values
    size = max(len(value.encode(codec, "replace")) for value in fields)
    if habits.longest_value is not None and size > habits.longest_value:
        words = f"the text needs {size} bytes in one value, and reports.oru.longest_value is {habits.longest_value}"
        yield Loss(LossKind.LENGTH, words, changes_meaning=True)


def _broken(lines: Sequence[str], longest: int) -> Iterator[str]:
    for line in lines:
        rest = line
        while len(rest) > longest and (at := _last_blank(rest, longest)):
            yield rest[:at]
            rest = rest[at + 1 :]
        yield rest


def _last_blank(line: str, longest: int) -> int:
    """Where to break: the last blank that leaves at most `longest` before it, else the first one; 0: nowhere."""
    indent = len(line) - len(line.lstrip(" "))
    at = line.rfind(" ", indent, longest + 1)
    return at if at > 0 else max(line.find(" ", longest), 0)
