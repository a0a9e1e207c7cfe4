"""Many fixed columns: sparse products and blocks of columns against dense algebra."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.design import aliasing
from bayeslmm.linalg.components import components
from bayeslmm.linalg.products import factor_products, fixed_products
from bayeslmm.linalg.wide import MANY, factor_tables, fixed_table


def test_products_are_those_of_the_loops() -> None:
    rng = np.random.default_rng(0)
    n, p, k, levels = 300, MANY + 6, 2, 12
    X = rng.normal(size=(n, p)) * (rng.random((n, p)) < 0.2)
    y, offset, w = rng.normal(size=n), rng.normal(size=n), rng.random(n)
    w[:5] = 0.0
    T, shift, C = np.triu(rng.normal(size=(p, p))), rng.normal(size=p), rng.normal(size=(k, k))
    codes, values = rng.integers(0, levels, n).astype(np.int64), rng.normal(size=(n, k))
    fixed = (X, y, offset, w, T, shift)
    np.testing.assert_allclose(fixed_table(*fixed), fixed_products(*fixed), atol=1e-9)
    found = factor_tables(codes, values, C, *fixed, levels)
    expected = factor_products(codes, values, C, *fixed, levels)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)


def test_components_cover_what_is_not_zero() -> None:
    rng = np.random.default_rng(1)
    blocks = [rng.normal(size=shape) for shape in ((3, 2), (5, 1), (4, 3))]
    whole = np.zeros((13, 7))
    r = c = 0
    for block in blocks:
        whole[r : r + block.shape[0], c : c + block.shape[1]] = block
        r, c = r + block.shape[0], c + block.shape[1]
    rows, columns = rng.permutation(13), rng.permutation(7)
    found = components(whole[rows][:, columns])
    assert sorted(own.shape[0] for own, _ in found) == [3, 4, 5]
    left = whole[rows][:, columns].copy()
    for own, part in found:
        left[np.ix_(own, part)] = 0.0
    assert not left.any()


def test_rank_of_blocks_is_the_rank_of_the_whole() -> None:
    rng = np.random.default_rng(2)
    groups = 40
    X = np.zeros((groups * 5, groups * 3 + 1))
    for g in range(groups):
        own = rng.normal(size=(5, 2))
        X[5 * g : 5 * g + 5, 3 * g : 3 * g + 2] = own
        X[5 * g : 5 * g + 5, 3 * g + 2] = own @ [1.0, -2.0] if g % 3 else rng.normal(size=5)
    names = [f"c{j}" for j in range(X.shape[1])]
    found = aliasing(X, names)
    assert found.rank == np.linalg.matrix_rank(X)
    for name, combination in found.aliased.items():
        made = sum((v * X[:, names.index(c)] for c, v in combination.items()), np.zeros(len(X)))
        np.testing.assert_allclose(made, X[:, names.index(name)], atol=1e-10)
    assert found.aliased["c120"] == {}


@pytest.mark.parametrize("random", ["", " + (1 | h)"])
def test_a_line_for_every_subject(random: str) -> None:
    rng = np.random.default_rng(3)
    subjects = 40
    frame = pd.DataFrame(
        {
            "s": np.repeat([f"s{i:02d}" for i in range(subjects)], 5),
            "x": np.tile([8.0, 10, 12, 14, 17], subjects),
            "h": np.tile(list("abcde"), subjects),
        }
    )
    frame["y"] = 20 + 0.6 * frame.x + rng.normal(size=len(frame))
    frame["y"] += frame.h.map(dict(zip("abcde", rng.normal(size=5), strict=True)))
    fit = bl.Model(f"y ~ 0 + s + s:x{random}", frame).fit("reml")
    X = np.column_stack([np.eye(subjects)[np.repeat(np.arange(subjects), 5)]] * 2)
    X[:, subjects:] *= frame.x.to_numpy()[:, None]
    V = np.eye(len(frame)) * fit.sigma**2
    if random:
        sd = float(fit.varcorr().estimate.iloc[0])
        V += sd**2 * (frame.h.to_numpy(object)[:, None] == frame.h.to_numpy(object)[None])
    half = np.linalg.solve(V, X)
    beta = np.linalg.solve(X.T @ half, half.T @ frame.y)
    np.testing.assert_allclose(fit.fixef().estimate, beta, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(fit.vcov(), np.linalg.inv(X.T @ half), rtol=1e-6, atol=1e-9)
