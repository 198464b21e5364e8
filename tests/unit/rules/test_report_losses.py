"""The loss report: what is the same, what only looks different, and what must never be sent."""

import pytest

from dicom_nodes.model.loss import LossKind
from dicom_nodes.rules.report_losses import (
    TYPOGRAPHY,
    harmful,
    losses_of_page,
    losses_of_text,
    stand_in,
    why_not_sent,
)

CAME = "T1 < 5 mm.\nNo “change”."


@pytest.mark.parametrize("arrived", [CAME, CAME.replace("\n", "\r\n"), CAME.replace("\n", "\r")])
def test_line_ends_alone_are_no_loss(arrived: str) -> None:
    assert losses_of_text(CAME, arrived) == ()


@pytest.mark.parametrize("arrived", ["T1 < 5 mm. No “change”.", "T1 < 5\nmm.\nNo “change”.", CAME + "\n\n"])
def test_blanks_that_moved_are_a_loss_of_layout(arrived: str) -> None:
    (loss,) = losses_of_text(CAME, arrived)
    assert (loss.kind, loss.changes_meaning) == (LossKind.LAYOUT, False)
    assert why_not_sent("ris", [loss]) is None


@pytest.mark.parametrize(
    "arrived", ["T1 ", "T1 5 mm.\nNo “change”.", CAME.replace("5 mm", "5mm"), CAME.replace("“", '"'), CAME + "x", ""]
)
def test_any_other_difference_changes_the_meaning(arrived: str) -> None:
    (loss,) = losses_of_text(CAME, arrived)
    assert (loss.kind, loss.changes_meaning) == (LossKind.TEXT, True)


def test_what_was_replaced_by_its_plain_equal_is_said_and_sent() -> None:
    (loss,) = losses_of_text(CAME, 'T1 < 5 mm.\nNo "change".', {"“": '"', "”": '"'})
    assert (loss.kind, loss.changes_meaning) == (LossKind.CHARACTERS, False)
    assert loss.words == "punctuation written in plain characters (2 times)"


@pytest.mark.parametrize("replacement", ["", "?", "<", "''"])
def test_a_replacement_that_says_something_else_is_never_sent(replacement: str) -> None:
    losses = losses_of_text("≤ 5", f"{replacement} 5", {"≤": replacement})
    assert harmful(losses)
    assert "mathematical signs that cannot be written (once)" in (why_not_sent("ris", losses) or "")


def test_a_replacement_that_was_announced_and_not_made_is_found() -> None:
    assert harmful(losses_of_text("≤ 5", "< 5", {"≤": "<="}))


@pytest.mark.parametrize("character", ["²", "½", "€", "µ", "Ł", "漢", "٣", "|", "<"])
def test_nothing_stands_in_for_a_figure_a_letter_or_a_delimiter(character: str) -> None:
    assert stand_in(character) is None


def test_every_plain_equal_is_plain() -> None:
    assert all(plain.isascii() and plain for plain in TYPOGRAPHY.values())
    assert [stand_in(character) for character in "👍\ufe0f"] == ["[thumbs up sign]", ""]


@pytest.mark.parametrize("arrived", ["T1<5 mm. No “change”.", "T1 < 5 mm.\n\nNo\n“cha\nnge”."])
def test_a_page_may_break_lines_anywhere(arrived: str) -> None:
    assert losses_of_page(CAME, arrived) == ()


@pytest.mark.parametrize("arrived", ["T1 < 5 mm.", "No “change”. T1 < 5 mm.", CAME + CAME])
def test_a_page_that_lacks_doubles_or_turns_round_words_is_found(arrived: str) -> None:
    assert harmful(losses_of_page(CAME, arrived))


def test_right_to_left_writing_is_counted_on_a_page() -> None:
    assert losses_of_page("نزيف 12 mm", "mm 12 نزيف") == ()
    assert harmful(losses_of_page("نزيف 12 mm", "mm 12 نزي"))


def test_a_reason_quotes_nothing_of_the_report() -> None:
    losses = losses_of_text("Mrs MARKED ≤ 5", "Mrs ? 5", {"≤": "?"})
    assert "MARKED" not in (why_not_sent("ris", losses) or "MARKED")
