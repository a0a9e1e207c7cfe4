"""Small products written out, and large ones by BLAS, are numpy's."""

from __future__ import annotations

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from bayeslmm.graph import products
from bayeslmm.graph.products import below_diagonal, by_root, by_vector


def calls(out) -> set[str]:
    """Names of the operations of a graph."""
    nodes = pytensor.graph.traversal.applys_between([], [out])
    return {type(getattr(node.op, "core_op", node.op)).__name__ for node in nodes}


def value(out) -> np.ndarray:
    return out.eval(mode="FAST_COMPILE")


@pytest.mark.parametrize("many", [10, 1000])
def test_matrix_by_vector(many, monkeypatch):
    monkeypatch.setattr(products, "MANY", many)
    rng = np.random.default_rng(1)
    X, beta = rng.normal(size=(20, 3)), rng.normal(size=3)
    out = by_vector(pt.as_tensor_variable(X), pt.as_tensor_variable(beta), X.size)
    assert ("Dot" in calls(out)) == (many < X.size)
    np.testing.assert_allclose(value(out), X @ beta, rtol=1e-13)


@pytest.mark.parametrize("k", [1, 2, products.WIDE, products.WIDE + 1])
def test_effects_by_root(k):
    rng = np.random.default_rng(k)
    z, root = rng.normal(size=(5, k)), np.tril(rng.normal(size=(k, k)))
    out = by_root([pt.as_tensor_variable(column) for column in z.T], pt.as_tensor_variable(root))
    assert ("Dot" in calls(out)) == (k > products.WIDE)
    np.testing.assert_allclose(value(out), z @ root.T, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("k", [2, 3, 12])
def test_elements_below_the_diagonal(k):
    root = np.tril(np.random.default_rng(k).normal(size=(k, k)))
    found = value(below_diagonal(pt.as_tensor_variable(root), k))
    np.testing.assert_allclose(found, (root @ root.T)[np.tril_indices(k, -1)], rtol=1e-12)
