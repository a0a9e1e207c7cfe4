"""Every error and warning of the library.

A message has up to four parts, in this order: *what* is wrong and where, what was *got*,
what is *allowed*, and what to *try*. `say` joins them in the same way for all of the library.
"""

from __future__ import annotations

import bisect
import difflib
import itertools
import math
import os
import warnings
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from pathlib import Path

from bayeslmm.synonyms import elsewhere, plain

_PACKAGE = f"{Path(__file__).parent}{os.sep}"
LONGEST = 700  # characters of a part of a message
_LONG_NAME, _COMPARED = 200, 5_000  # the longest name compared with others, and with how many


def say(what: str, *, got: object = None, allowed: object = None, hint: str | None = None) -> str:
    """Join the parts of a message into one line of sentences, each of bounded length."""
    parts = [what]
    if got is not None:
        parts.append(f"Got: {shorter(str(got))}")
    if allowed is not None:
        parts.append(f"Allowed: {listed(allowed)}")
    if hint is not None:
        parts.append(hint)
    return " ".join(_ended(shorter(part, LONGEST)) for part in parts)


def _ended(text: str) -> str:
    """The text with one full stop at its end; a question keeps its question mark."""
    whole = text.rstrip().rstrip(".")
    return whole if whole.endswith(("?", "!")) else f"{whole}."


def shorter(text: str, most: int = 300) -> str:
    """The text, with its middle omitted where it is longer than `most` characters."""
    if len(text) <= most:
        return text
    end = most // 3
    return f"{text[: most - end - 3]} … {text[-end:]}"


def listed(values: object, most: int = 400) -> str:
    """The values separated by commas, each once; beyond `most` characters only their number."""
    if isinstance(values, str):
        return values
    items = [str(v) for v in values] if isinstance(values, Iterable) else [str(values)]
    items = [shorter(item, 60) for item in dict.fromkeys(items)]
    ends = list(itertools.accumulate(len(item) + 2 for item in items))
    shown = max(1, bisect.bisect_right(ends, most + 2))
    more = [] if shown >= len(items) else [f"… ({len(items)} in all)"]
    return ", ".join([*items[:shown], *more])


def combined(weights: Mapping[str, float], most: int | None = None) -> str:
    """A linear combination as it is written, ``2 a - b``; beyond `most` terms an ellipsis."""
    text = ""
    for name, weight in list(weights.items())[:most]:
        size = f"{abs(weight):g}"
        term = name if size == "1" else f"{size} {name}"
        sign = "-" if weight < 0 else "+"
        text += f" {sign} {term}" if text else f"{'-' if weight < 0 else ''}{term}"
    return (text or "0") + (" + …" if most is not None and len(weights) > most else "")


def nearest(name: str, known: Iterable[str], kind: str | None = None) -> str:
    """A sentence that suggests the known name closest to `name`, or lists the known names.

    Parameters
    ----------
    name : str
    known : iterable of str
    kind : str, optional
        A table of `bayeslmm.synonyms`, searched before the spelling is compared.
    """
    names = [str(k) for k in known]
    close = suggestion(name, names, kind)
    if close is not None:
        return close
    return f"Available: {listed(names)}" if names else "None are available"


def suggestion(name: str, known: Iterable[str], kind: str | None = None) -> str | None:
    """A sentence that suggests the known name closest to `name`; None where none is close."""
    name, names = str(name), [str(k) for k in known]
    if len(name) > _LONG_NAME:
        return None
    by_plain = {plain(k): k for k in reversed(names)}
    if plain(name) and plain(name) in by_plain:
        return f"Did you mean {by_plain[plain(name)]!r}?"
    if kind is not None:
        meant = elsewhere(name, kind)
        if meant in names:
            return f"Did you mean {meant!r}?"
        if meant is not None:
            return meant if " " in meant else None
    close = difflib.get_close_matches(name, names[:_COMPARED], n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}?" if close else None


class BayeslmmError(Exception):
    """Base of every error raised on purpose."""

    def __init__(
        self, what: str, *, got: object = None, allowed: object = None, hint: str | None = None
    ) -> None:
        super().__init__(say(what, got=got, allowed=allowed, hint=hint))

    def __str__(self) -> str:  # KeyError would print the repr
        return str(self.args[0])


class FormulaError(BayeslmmError, ValueError):
    """A formula that can't be parsed, or that contains something not allowed."""


class DataError(BayeslmmError, ValueError):
    """A table, column or array that can't be used as it is."""


class ColumnError(DataError, KeyError):
    """A column that doesn't exist in the table."""


class LevelError(DataError, KeyError):
    """A level of a factor that is not in the model's data."""


class PriorError(BayeslmmError, ValueError):
    """A prior that can't be parsed, has the wrong support, or belongs to no parameter."""


class ModelError(BayeslmmError, ValueError):
    """Parts of a specification that can't be combined."""


class IdentifiabilityError(ModelError):
    """A parameter that is not identified by the data."""


class MethodError(BayeslmmError, ValueError):
    """A method that doesn't exist, or is not available for this model."""


class FitError(BayeslmmError, RuntimeError):
    """A fit that failed numerically, or a quantity that is not available from a fit."""


class FileError(BayeslmmError, ValueError):
    """A model file or a saved fit that can't be read or written."""


class GalleryError(BayeslmmError, KeyError):
    """A model or data set that is not in the gallery."""


def check_seed(seed: object) -> None:
    """Raise MethodError unless the seed is None or a whole number of at least 0."""
    if seed is not None and not (isinstance(seed, Integral) and int(seed) >= 0):
        raise MethodError("seed must be a whole number of at least 0, or None", got=repr(seed))


def is_finite(value: object) -> bool:
    """Whether a value given by the user is one finite number."""
    return isinstance(value, Real) and math.isfinite(value)


class BayeslmmWarning(UserWarning):
    """Base of all warnings of the library; each is also a line of `fit.notes`."""


class DataWarning(BayeslmmWarning):
    """Dropped rows, unused levels, or columns whose type is ambiguous."""


class IdentifiabilityWarning(BayeslmmWarning):
    """A parameter that is weakly identified or not identified."""


class PriorWarning(BayeslmmWarning):
    """A prior given by the user that dominates the data in an estimate."""


class SingularWarning(BayeslmmWarning):
    """A variance at zero or a correlation at one: a converged fit on the boundary."""


class ConvergenceWarning(BayeslmmWarning):
    """An optimiser or a sampler that has not converged."""


def warn(text: str, category: type[BayeslmmWarning] = BayeslmmWarning) -> str:
    """Issue a warning at the first line outside this package; returns its text, for the notes."""
    text = shorter(text, 2 * LONGEST)
    warnings.warn(text, category, skip_file_prefixes=(_PACKAGE,))
    return text
