"""An id as a person types it: whole, or as it begins."""

from collections.abc import Collection

from readacross.refusals import RouterSaidNo


def whole_id(start: str, known: Collection[str], what: str) -> str:
    """The one id that is `start` or begins so; `start` itself where none does, for the other side to say no to.

    Raises:
        RouterSaidNo: several begin so.
    """
    found = sorted({one for one in known if one.startswith(start)})
    if start in found or not found:
        return start
    if len(found) > 1:
        few = ", ".join(found[:5]) + (", …" if len(found) > 5 else "")
        raise RouterSaidNo(f"the ids of {len(found)} {what} begin with {start!r}: {few}; type more of it")
    return found[0]
