"""Small factorisations run on one BLAS thread in every method, and the process gets its own
setting back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import bayeslmm as bl
from bayeslmm.engines.base import LARGE, largest_matrix
from bayeslmm.gaussian.by_roots import ByRoots
from bayeslmm.gaussian.equations import Equations
from bayeslmm.gaussian.target import target
from bayeslmm.linalg.compiled import one_blas_thread


def threads() -> set[int]:
    return {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}


def plots() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    row, col = (x.ravel() for x in np.meshgrid(np.arange(6.0), np.arange(4.0)))
    apart = np.hypot(row[:, None] - row, col[:, None] - col)
    y = rng.multivariate_normal(np.zeros(24), 0.7 * np.exp(-apart / 2) + 0.3 * np.eye(24))
    v = np.arange(24) % 5 + rng.random(24)
    return pd.DataFrame({"y": y, "north": row, "east": col, "v": v})


@pytest.fixture
def seen(monkeypatch):
    """Every number of BLAS threads that equations were factored with."""
    found: set[int] = set()

    def watched(name):
        own = getattr(Equations, name)

        def factor(self, *args, **kwargs):
            found.update(threads())
            return own(self, *args, **kwargs)

        return factor

    for name in ("at", "factor"):
        monkeypatch.setattr(Equations, name, watched(name))
    with threadpool_limits(2):
        yield found
        assert threads() == {2}


@pytest.mark.filterwarnings("ignore::bayeslmm.errors.IdentifiabilityWarning")
def test_every_method_factors_small_matrices_on_one_thread(seen):
    model = bl.Model("y ~ v", plots(), residual="exp(north + east, nugget=True)")
    fit = model.fit("reml")
    model.fit("ml")
    model.fit("conjugate", variances=fit, draws=2, chains=1, seed=1)
    model.fit("exact", draws=20, chains=1, seed=1)
    bl.Model("y ~ v + (1 | north)", plots()).fit("anova")
    density = ByRoots(target(model.resolved))
    density.value_and_gradient(np.array([1.0, 2.0, 0.3]))
    assert seen == {1}


def test_a_large_matrix_keeps_the_threads():
    model = bl.Model("y ~ v", plots(), residual="exp(north + east)").resolved
    assert largest_matrix(model) == 24 < LARGE
    many = pd.DataFrame({"y": np.random.default_rng(1).normal(size=LARGE), "t": np.arange(LARGE)})
    model = bl.Model("y ~ 1", many, residual="exp(t)").resolved
    assert largest_matrix(model) == LARGE


def test_nested_uses_restore_once():
    with threadpool_limits(2):
        with one_blas_thread():
            with one_blas_thread():
                assert threads() == {1}
            assert threads() == {1}
        with one_blas_thread(wanted=False):
            assert threads() == {2}
        assert threads() == {2}
