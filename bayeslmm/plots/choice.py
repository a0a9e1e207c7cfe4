"""Choice of the levels and coefficients to draw."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

import numpy as np
from numpy.typing import NDArray

from bayeslmm.errors import MethodError, nearest, warn

WIDEST = 95  # letters of a note in a line


def spread_choice(order: NDArray[np.intp], most: int, group: str) -> NDArray[np.intp]:
    """At most so many of the ordered levels, evenly spaced, ends included, with a warning."""
    if len(order) <= most:
        return order
    warn(
        f"{group} has {len(order)} levels; {most} of them, evenly spaced in their order, are drawn."
    )
    places = np.linspace(0, len(order) - 1, most).round().astype(np.intp)
    return np.asarray(order[places])


def share_of(shown: int, group: str, total: int) -> str:
    """How many levels are drawn where others are not, ``"24 of 85 levels of county"``."""
    return "" if shown == total else f"{shown} of {total} levels of {group}"


def joined(*notes: str) -> str:
    """The notes of a picture, in lines that fit its width."""
    text = "; ".join(note for note in notes if note)
    return "\n".join(wrap(text, WIDEST))


def chosen_coefs(
    coefs: str | Sequence[str] | None, known: Sequence[str], most: int
) -> tuple[int, ...]:
    """Positions of the coefficients to draw; the first ones where none are named.

    `part_of` then names the drawn ones.

    Raises
    ------
    MethodError
        An unknown coefficient, or more than can be drawn.
    """
    wanted = [coefs] if isinstance(coefs, str) else list(known[:most] if coefs is None else coefs)
    for name in wanted:
        if name not in known:
            raise MethodError(
                f"The model has no coefficient {name!r}", hint=nearest(str(name), known)
            )
    if not 1 <= len(set(wanted)) == len(wanted) <= most:
        allowed = f"1 to {min(most, len(known))} different ones of {', '.join(known)}"
        raise MethodError(
            "These coefficients can't be drawn", got=", ".join(wanted) or "none", allowed=allowed
        )
    return tuple(list(known).index(name) for name in wanted)


def part_of(shown: Sequence[str], known: Sequence[str]) -> str:
    """The drawn names if there are others, ``"batch (of batch, plate)"``; else nothing."""
    if len(shown) == len(known):
        return ""
    rest = ", ".join(known) if len(known) <= 6 else str(len(known))
    return f"{', '.join(shown)} (of {rest})"
