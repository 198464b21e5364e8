"""What one person says, another one checks: nobody decides alone what should not be decided alone."""

from router.model.errors import NotAllowed


def is_same_person(one: str, other: str) -> bool:
    """Whether two callers, named `role subject`, are one: in another role, or spelt otherwise, nobody is a second one.

    Where neither name has a subject nobody can tell, and nobody is one either.
    """
    return _person(one) == _person(other)


def require_second_person(by: str, proposed_by: str) -> None:
    """Somebody else than the proposer confirms.

    Raises:
        NotAllowed: it is the person who proposed it.
    """
    if is_same_person(by, proposed_by):
        raise NotAllowed("a second person must check it, not the one who proposed it")


def _person(caller: str) -> str:
    return " ".join(caller.casefold().split()[1:])
