"""Every error and warning that the library raises on purpose.

A message has up to four parts, in this order: *what* is wrong and where, what was *got*,
what is *allowed*, and what to *try*. `say` joins them, so that every room speaks alike.
"""

from __future__ import annotations

import difflib
import math
import os
import warnings
from collections.abc import Iterable
from numbers import Integral, Real
from pathlib import Path

_PACKAGE = f"{Path(__file__).parent}{os.sep}"


def say(what: str, *, got: object = None, allowed: object = None, hint: str | None = None) -> str:
    """Join the parts of a message into one line of sentences."""
    parts = [what]
    if got is not None:
        parts.append(f"Got: {got}")
    if allowed is not None:
        allowed_text = allowed if isinstance(allowed, str) else ", ".join(map(str, _some(allowed)))
        parts.append(f"Allowed: {allowed_text}")
    if hint is not None:
        parts.append(hint)
    return " ".join(map(_ended, parts))


def _ended(text: str) -> str:
    """The text with one stop at its end; a question keeps its mark."""
    whole = text.rstrip().rstrip(".")
    return whole if whole.endswith(("?", "!")) else f"{whole}."


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that offers the known name nearest to `name`, or lists what there is."""
    names = [str(k) for k in known]
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    if not close:
        by_lower = {k.lower(): k for k in names}
        close = [by_lower[name.lower()]] if name.lower() in by_lower else []
    if close:
        return f"Did you mean {close[0]!r}?"
    return "There are: " + ", ".join(_some(names)) if names else "There are none"


def _some(values: object, most: int = 12) -> list[str]:
    items = [str(v) for v in values] if isinstance(values, Iterable) else [str(values)]
    return items if len(items) <= most else [*items[:most], f"… ({len(items)} in all)"]


class BayeslmmError(Exception):
    """Base of every error raised on purpose."""

    def __init__(
        self, what: str, *, got: object = None, allowed: object = None, hint: str | None = None
    ) -> None:
        super().__init__(say(what, got=got, allowed=allowed, hint=hint))

    def __str__(self) -> str:  # KeyError's own would print the repr
        return str(self.args[0])


class FormulaError(BayeslmmError, ValueError):
    """A formula that can't be read, or that asks for something that isn't allowed."""


class DataError(BayeslmmError, ValueError):
    """A table, column or array that can't be used as it is."""


class ColumnError(DataError, KeyError):
    """A column that isn't there."""


class LevelError(DataError, KeyError):
    """A level of a factor that the model has not seen."""


class PriorError(BayeslmmError, ValueError):
    """A prior that can't be read, or has the wrong support, or stands for nothing."""


class ModelError(BayeslmmError, ValueError):
    """Parts of a specification that don't go together."""


class IdentifiabilityError(ModelError):
    """A parameter that the data can't tell, whatever its value."""


class MethodError(BayeslmmError, ValueError):
    """A method that doesn't exist, or can't serve this model."""


class FitError(BayeslmmError, RuntimeError):
    """A fit that went wrong numerically, or has no such quantity."""


class FileError(BayeslmmError, ValueError):
    """A model file or a saved fit that can't be read or written."""


class GalleryError(BayeslmmError, KeyError):
    """A model or data set that the gallery doesn't have."""


def check_seed(seed: object) -> None:
    """Refuse what can't seed a generator."""
    if seed is not None and not (isinstance(seed, Integral) and int(seed) >= 0):
        raise MethodError("seed must be a whole number of at least 0, or None", got=repr(seed))


def is_finite(value: object) -> bool:
    """Whether a value that a user gave is one finite number."""
    return isinstance(value, Real) and math.isfinite(value)


class BayeslmmWarning(UserWarning):
    """Base of everything the library says on the way; each is a line in `fit.notes` too."""


class DataWarning(BayeslmmWarning):
    """Rows dropped, levels unused, types read in a certain way."""


class IdentifiabilityWarning(BayeslmmWarning):
    """Something the data tell little or nothing about."""


class SingularWarning(BayeslmmWarning):
    """A variance at zero or a correlation at one: a converged fit on the boundary."""


class ConvergenceWarning(BayeslmmWarning):
    """An optimiser or a sampler whose answer is not to be trusted as it stands."""


def warn(text: str, category: type[BayeslmmWarning] = BayeslmmWarning) -> str:
    """Warn at the user's line, the first outside this package; hand the text back to be noted."""
    warnings.warn(text, category, skip_file_prefixes=(_PACKAGE,))
    return text
