"""What the API keeps of a report beside its fields: the bytes as they came, and its sections."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request

from dicom_nodes.foundation.report_headings import split_by_headings
from router.model.report import ReportSection
from router.web.messages import ReportBody


async def _original_bytes(request: Request) -> bytes:
    return await request.body()


OriginalBytes = Annotated[bytes, Depends(_original_bytes)]
"""The request's body as it came."""


def sections_of(body: ReportBody) -> Iterator[ReportSection]:
    """As the caller gives them, else by the headings in the text."""
    if body.sections:
        yield from (ReportSection(one.title, one.text) for one in body.sections)
    else:
        yield from (ReportSection(title, text) for title, text in split_by_headings(body.text))
