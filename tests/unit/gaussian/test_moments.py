"""Moments of pieces of the rows add up to the whole's, whatever coordinates each is in."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

import numpy as np
import pytest

from bayeslmm.errors import ModelError
from bayeslmm.gaussian.coordinates import Coordinates, coordinates
from bayeslmm.gaussian.moments import Moments, moments
from bayeslmm.model import Model
from tests.unit.gaussian.designs import EXTRAS, build, frame_of, quietly, random_variances
from tests.unit.gaussian.oracle import dense_of

THREE = "y ~ x + (1 | h) + (0 + z | m) + (x | g)"
CUTS = (0, 7, 8, 30, 48)


def all_columns(model: Model) -> np.ndarray:
    return np.arange(model.design.p)


def elsewhere(formula: str, seed: int) -> Coordinates:
    """Coordinates of a model of the same shape whose columns have other units and origins."""
    rng = np.random.default_rng(seed)
    frame = frame_of(seed)
    frame["x"] = 40 * frame["x"] + rng.normal(0, 20)
    frame["z"] = 0.02 * frame["z"] - 0.3
    frame["y"] = 7 * frame["y"] + 30
    other = quietly(formula, frame)
    return coordinates(other, all_columns(other))


def pair_table(m: Moments, which: int) -> np.ndarray:
    """Products of two factors as (J_a, J_b, k_a, k_b), zeros where levels don't meet."""
    pairs = m.pairs[which]
    sizes = m.sizes[pairs.a][0], m.sizes[pairs.b][0]
    out = np.zeros((*sizes, *pairs.values.shape[1:]))
    out[pairs.rows, pairs.other] = pairs.values
    return out


def assert_same(found: Moments, expected: Moments, rtol: float = 1e-10) -> None:
    """Every array to `rtol` of its largest number, in the coordinates of `expected`."""
    moved = found.expressed_in(expected.coordinates)
    assert moved.n == expected.n
    assert moved.sum_log_weight == pytest.approx(expected.sum_log_weight, rel=1e-12, abs=1e-12)
    parts: list[tuple[Any, Any]] = [(moved.ff, expected.ff)]
    parts += zip((*moved.zz, *moved.zf), (*expected.zz, *expected.zf), strict=True)
    for i, (a, b) in enumerate(zip(moved.pairs, expected.pairs, strict=True)):
        assert (a.a, a.b) == (b.a, b.b)
        np.testing.assert_array_equal(a.start, b.start)
        np.testing.assert_array_equal(a.other, b.other)
        parts.append((pair_table(moved, i), pair_table(expected, i)))
    for a, b in parts:
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * np.abs(b).max(initial=1.0))


def pieces(model: Model, about: list[Coordinates | None]) -> list[Moments]:
    edges = pairwise(CUTS)
    return [
        moments(model, rows=slice(a, b), about=c) for (a, b), c in zip(edges, about, strict=True)
    ]


def test_moments_are_the_products_of_dense_columns(formula: str, extra: str) -> None:
    """[Z X y]'W[Z X y] by dense matrices, Z and X taken back from the room's coordinates."""
    model = build(formula, extra)
    m = moments(model)
    c = m.coordinates
    dense = dense_of(model, random_variances(model, 40))
    w = model.precision_weights[model.used].astype(np.longdouble)
    F = np.column_stack([dense.X @ c.T, dense.y - dense.X @ c.shift])
    close = {"rtol": 1e-9, "atol": 1e-9 * float(np.abs(F.T @ (w[:, None] * F)).max())}
    np.testing.assert_allclose(m.ff, (F.T @ (w[:, None] * F)).astype(float), **close)
    start = 0
    columns = []
    for (levels, k), C in zip(m.sizes, c.blocks, strict=True):
        Z = dense.Z[:, start : start + levels * k].reshape(-1, levels, k) @ C
        columns.append(Z)
        start += levels * k
    for i, Z in enumerate(columns):
        zz = np.einsum("n,nja,njb->jab", w, Z, Z)
        np.testing.assert_allclose(m.zz[i], zz.astype(float), **close)
        zf = np.einsum("n,nja,nf->jaf", w, Z, F)
        np.testing.assert_allclose(m.zf[i], zf.astype(float), **close)
    for i, pairs in enumerate(m.pairs):
        whole = np.einsum("n,nja,nlb->jlab", w, columns[pairs.a], columns[pairs.b])
        np.testing.assert_allclose(pair_table(m, i), whole.astype(float), **close)


def test_pieces_add_up(formula: str, extra: str) -> None:
    """Four pieces, one of them a single row, each in coordinates of its own."""
    model = build(formula, extra)
    whole = moments(model)
    others = [None, *(elsewhere(formula, seed) for seed in (41, 42, 43))]
    assert_same(reduce(add, pieces(model, others)), whole)


def test_the_order_does_not_matter() -> None:
    model = build(THREE, "weights and offset")
    a, b, c, d = pieces(model, [elsewhere(THREE, seed) for seed in (44, 45, 46, 47)])
    whole = moments(model)
    for total in (a + b + c + d, d + c + b + a, (c + a) + (d + b), b + (d + (a + c))):
        assert_same(total, whole)


def test_pairs_that_meet_in_one_piece_only() -> None:
    """Rows sorted by a factor: no pair of its levels with another's is in two pieces."""
    for extra, settings in EXTRAS.items():
        frame = frame_of(48).sort_values(["h", "g"], ignore_index=True)
        model = quietly(THREE, frame, **settings)
        edges = np.flatnonzero(np.diff(model.design.blocks[0].codes)) + 1
        bounds = [0, *edges, model.design.n]
        parts = [
            moments(model, rows=slice(int(a), int(b)), about=elsewhere(THREE, 49))
            for a, b in pairwise(bounds)
        ]
        met = [
            {tuple(p) for p in zip(m.pairs[0].rows, m.pairs[0].other, strict=True)} for m in parts
        ]
        assert len(parts) == 4 and not set.intersection(*met), extra
        assert_same(reduce(add, parts), moments(model))


def test_a_piece_without_rows_adds_nothing() -> None:
    model = build(THREE, "weights and offset")
    nothing = moments(model, rows=slice(0, 0))
    assert nothing.n == 0 and nothing.pairs[0].other.size == 0
    assert_same(moments(model) + nothing, moments(model))
    assert_same(nothing + moments(model), moments(model))
    assert_same(nothing + nothing, nothing)


def test_rows_of_weight_zero_count_for_nothing(formula: str) -> None:
    """Their numbers may be anything, and leaving them out changes no product."""
    model = build(formula, "weights and offset")
    unused = ~model.used
    assert unused.any()
    y = np.where(unused, 1e6, model.design.y)
    wild = replace(model, design=replace(model.design, y=y))
    about = moments(model).coordinates
    assert_same(moments(wild, about=about), moments(model))
    kept = np.flatnonzero(model.used)
    single = [moments(model, rows=slice(int(i), int(i) + 1)) for i in kept]
    assert_same(reduce(add, single), moments(model))
    assert moments(model).n == len(kept) == model.n


def test_coordinates_there_and_back(formula: str, extra: str) -> None:
    model = build(formula, extra)
    whole = moments(model)
    there = whole.expressed_in(elsewhere(formula, 50))
    np.testing.assert_allclose(there.ff, moments(model, about=there.coordinates).ff, rtol=1e-8)
    assert_same(there, whole)


def test_coordinates_are_nearly_orthonormal(formula: str, extra: str) -> None:
    """Fixed columns of length one at right angles, covariates of mean square one."""
    m = moments(build(formula, extra))
    gram = m.ff[:-1, :-1]
    np.testing.assert_allclose(gram, np.eye(m.p), atol=0.2)
    for zz in m.zz:
        np.testing.assert_allclose(np.einsum("jaa->a", zz) / m.n, 1.0, rtol=1e-6)


def test_different_designs_do_not_add_up() -> None:
    model = build(THREE)
    for other in (build("y ~ x + (1 | h) + (z | m) + (x | g)"), build("y ~ x + (x | g)")):
        with pytest.raises(ModelError, match="same design"):
            moments(model) + moments(other)
    with pytest.raises(ModelError, match="same design"):
        moments(model, (0, 1)) + moments(model, (0,))
    fewer = quietly(THREE, frame_of(0).query("g != 6"))
    with pytest.raises(ModelError, match="same design"):
        moments(model) + moments(fewer)


def test_a_lost_pair_would_be_seen() -> None:
    """The comparison has power."""
    model = build(THREE, "weights and offset")
    whole = moments(model)
    last = whole.pairs[0]
    spoilt = replace(
        last, values=last.values * np.where(np.arange(len(last.other)) == 3, 0, 1)[:, None, None]
    )
    with pytest.raises(AssertionError):
        assert_same(replace(whole, pairs=(spoilt, *whole.pairs[1:])), whole)
