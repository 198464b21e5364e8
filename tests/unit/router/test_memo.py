"""A transaction reads once what only it can change, and forgets what it has changed."""

from router.store.memo import UNKNOWN, Kind, Memo


class Table:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def read(self) -> str:
        self.asked += 1
        return f"answer {self.asked}"


def test_what_is_known_is_not_asked_for_again_until_it_is_forgotten() -> None:
    memo, table = Memo(is_kept=True), Table()
    assert [memo.of(Kind.STUDY, "1", table.read) for _ in range(3)] == ["answer 1"] * 3
    memo.forget(Kind.REPORT)
    assert memo.of(Kind.STUDY, "1", table.read) == "answer 1"
    memo.forget(Kind.STUDY)
    assert memo.of(Kind.STUDY, "1", table.read) == "answer 2"
    memo.forget()
    assert memo.of(Kind.STUDY, "1", table.read) == "answer 3"


def test_that_nothing_is_there_is_known_too() -> None:
    memo, asked = Memo(is_kept=True), list[int]()
    for _ in range(2):
        assert memo.of(Kind.STUDY, "1", lambda: asked.append(1)) is None
    assert asked == [1]


def test_where_others_may_write_everything_is_asked_anew() -> None:
    memo, table = Memo(is_kept=False), Table()
    memo.put(Kind.STUDY, "1", "old")
    assert [memo.of(Kind.STUDY, "1", table.read) for _ in range(2)] == ["answer 1", "answer 2"]
    assert memo.get(Kind.STUDY, "1") is UNKNOWN
