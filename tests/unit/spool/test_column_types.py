"""What lies in the catalogue's columns is small, comes back as it was, and sorts as the text does."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_nodes.spool.column_types import packed_uid, unpacked_uid, utc_microseconds
from dicom_nodes.spool.query_conditions import after_prefix

uids = st.from_regex(r"\A[0-9.]{0,64}\Z")


@given(uids)
def test_uid_comes_back_from_half_its_size(uid: str) -> None:
    assert unpacked_uid(packed_uid(uid)) == uid
    assert len(packed_uid(uid)) == (len(uid) + 1) // 2


@given(uids, uids)
def test_packed_uids_sort_as_their_text(one: str, other: str) -> None:
    assert (packed_uid(one) < packed_uid(other)) == (one < other)


@given(st.text(max_size=70))
def test_what_is_no_uid_comes_back_too(text: str) -> None:
    assert unpacked_uid(packed_uid(text)) == text


def test_times_keep_their_microseconds() -> None:
    assert utc_microseconds(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC)) == 1_000_005


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_with_a_prefix_lies_before_what_is_after_the_prefix(prefix: str, rest: str) -> None:
    end = after_prefix(prefix)

    assert end is None or prefix + rest < end


@pytest.mark.parametrize(("prefix", "end"), [("ab", "ac"), ("a\ud7ff", "a\ue000"), ("a\U0010ffff", "b"), ("", None)])
def test_what_is_after_a_prefix(prefix: str, end: str | None) -> None:
    assert after_prefix(prefix) == end
