"""Whether one more read across trusts fits into what the trusts agreed; pure, over today's book."""

from collections.abc import Iterator, Mapping

from router.model.aid import AidBook, AidLimits

_ROUNDING = 1e-9


def aid_problems(
    *, employer: str, origin: str, exam_group: str | None, minutes: float, acute: bool, book: AidBook
) -> tuple[str, ...]:
    """Every reason why readers of `employer` may not take so many more minutes of `origin` today.

    A read within the trust is never limited. Reads that are not acute leave the acute reserve of every limit alone.
    """
    if employer == origin:
        return ()
    giver, taker = book.limits.get(employer), book.limits.get(origin)
    problems: list[str] = []
    if giver is not None:
        if origin not in giver.reads_for:
            problems.append(f"{employer} has no agreement to read for {origin}")
        used = (book.minutes_out(employer), book.minutes_out(employer, exam_group))
        limits = (giver.minutes_out_per_day, _of_group(giver.group_minutes_out, exam_group))
        problems += _over(giver, "reads for others", used, limits, exam_group, minutes, acute)
    if taker is not None:
        used = (book.minutes_in(origin), book.minutes_in(origin, exam_group))
        limits = (taker.minutes_in_per_day, _of_group(taker.group_minutes_in, exam_group))
        problems += _over(taker, "is read for by others", used, limits, exam_group, minutes, acute)
    return tuple(problems)


def room_left(limit: float, used: float, reserve: float, *, acute: bool) -> float:
    """Minutes of the limit that this kind of read may still use; an acute one may use the reserve as well."""
    return limit * (1.0 if acute else 1.0 - reserve) - used


def _of_group(limits: Mapping[str, float], exam_group: str | None) -> float | None:
    return None if exam_group is None else limits.get(exam_group)


def _over(
    of_trust: AidLimits,
    what: str,
    used: tuple[float, float],
    limits: tuple[float | None, float | None],
    exam_group: str | None,
    minutes: float,
    acute: bool,
) -> Iterator[str]:
    for name, spent, limit in zip(("", f" of {exam_group}"), used, limits, strict=True):
        if limit is None:
            continue
        if minutes > room_left(limit, spent, of_trust.acute_reserve, acute=acute) + _ROUNDING:
            kept = "" if acute else f", {of_trust.acute_reserve:.0%} of it kept for acute reads"
            yield f"{of_trust.trust} {what} {limit:g} minutes{name} a day at most, {spent:g} are used{kept}"
