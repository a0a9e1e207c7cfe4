"""The interface of an engine: a method's name, its availability, and its fit of a model."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar

import numpy as np

from bayeslmm.fit.tree import FitValues
from bayeslmm.linalg.compiled import one_blas_thread
from bayeslmm.model import Model

LARGE = 1000  # rows of a dense matrix from which BLAS threads save time


class Engine:
    """One method. Subclasses are stateless; options are keyword arguments of `fit`.

    Attributes
    ----------
    name : str
    open_options : bool
        Whether options beside the named ones are handed on to a sampler; else unknown ones
        are refused before `fit` sees them.
    """

    name: ClassVar[str] = ""
    open_options: ClassVar[bool] = False

    def refuse(self, model: Model) -> str | None:
        """Why this engine can't serve a model, in words; None where it can."""
        raise NotImplementedError

    def fit(
        self, model: Model, *, seed: int | None, draws: int, chains: int, **options: Any
    ) -> FitValues:
        """Fit the model."""
        raise NotImplementedError


def fatal_findings(model: Model, method: str) -> str | None:
    """The first finding that makes this method unavailable."""
    return next((f.text for f in model.findings if method in f.fatal), None)


def few_threads[**P, R](fit: Callable[P, R]) -> Callable[P, R]:
    """A method's `fit` with BLAS on one thread, unless the model has a large dense matrix."""

    @wraps(fit)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        model = next(a for a in args if isinstance(a, Model))
        with one_blas_thread(largest_matrix(model) < LARGE):
            return fit(*args, **kwargs)

    return run


def largest_matrix(model: Model) -> int:
    """Rows of the largest dense matrix that a fit factors, beside the effects' Schur complement,
    whose blocks have threads of their own."""
    sizes = [model.design.p, *(block.n_coefs for block in model.design.blocks)]
    residual = model.residual
    if residual is not None and residual.known is not None:
        sizes.append(model.n)
    elif residual is not None and residual.correlated is not None:
        sizes.append(int(np.bincount(residual.correlated.group[model.used]).max(initial=0)))
    return max(sizes)
