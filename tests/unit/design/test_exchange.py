"""The exchange search: its updates against fresh inverses, its ends against every design."""

from __future__ import annotations

from itertools import combinations, combinations_with_replacement

import numpy as np
import pytest

from bayeslmm.design import exchange
from bayeslmm.design.criteria import CRITERIA, criteria, inverse_root
from bayeslmm.design.exchange import Problem, search

RNG = np.random.default_rng(21)


def problem(
    rows: np.ndarray,
    criterion: str,
    *,
    repeats: bool = True,
    prior: np.ndarray | None = None,
    outer: np.ndarray | None = None,
) -> Problem:
    p = rows.shape[1]
    return Problem(
        rows,
        np.eye(p) if outer is None else outer,
        np.zeros((p, p)) if prior is None else prior,
        np.linalg.qr(rows, mode="r") / np.sqrt(len(rows)),
        criterion,
        repeats,
    )


def value(p: Problem, places: np.ndarray) -> float:
    """The criterion in the users' coordinates by the room's other road; D as log|S|."""
    X = p.rows[places]
    covariance = np.linalg.inv(X.T @ X + p.prior)
    if p.criterion == "D":
        return float(np.linalg.slogdet(covariance)[1])
    users = p.outer @ covariance @ p.outer.T
    region = p.rows @ np.linalg.inv(p.outer)
    return criteria(inverse_root(np.linalg.inv(users)), region).of(p.criterion)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_the_criterion_after_every_exchange(criterion: str) -> None:
    rows = RNG.normal(size=(9, 3))
    outer = np.triu(RNG.normal(size=(3, 3))) + 2 * np.eye(3)
    p = problem(rows, criterion, prior=0.3 * np.eye(3), outer=outer)
    places = np.array([0, 2, 2, 5])
    S = p.covariance(places)
    loss = p.loss(S)
    assert loss == pytest.approx(value(p, places), rel=1e-9)
    found = exchange._losses(p, S, loss, 2)
    expected = [value(p, np.array([0, 2, j, 5])) for j in range(9)]
    np.testing.assert_allclose(found, expected, rtol=1e-8)
    after = exchange._exchanged(p, S, 2, 7)
    np.testing.assert_allclose(after, p.covariance(np.array([0, 2, 7, 5])), rtol=1e-9)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_an_exchange_that_loses_a_coefficient_is_infinitely_bad(criterion: str) -> None:
    p = problem(np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]]), criterion)
    places = np.array([0, 1])
    S = p.covariance(places)
    found = exchange._losses(p, S, p.loss(S), 1)
    assert np.isinf(found[[0, 2]]).all() and np.isfinite(found[1])


@pytest.mark.parametrize("repeats", [True, False])
@pytest.mark.parametrize("criterion", CRITERIA)
def test_no_design_at_all_is_better(criterion: str, repeats: bool) -> None:
    p = problem(np.random.default_rng(8).normal(size=(8, 3)), criterion, repeats=repeats)
    designs = combinations_with_replacement if repeats else combinations
    every = [np.array(d) for d in designs(range(8), 5)]
    best = min(value(p, d) for d in every if np.linalg.matrix_rank(p.rows[d]) == 3)
    found = search(p, 5, 20, np.random.default_rng(1))
    assert found is not None
    assert found.loss == pytest.approx(best, rel=1e-8)
    assert value(p, found.places) == pytest.approx(best, rel=1e-8)
    assert repeats or len(set(found.places)) == 5
    assert 1 <= found.agreeing <= 20


def test_a_search_in_stretches_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(9).normal(size=(50, 3))
    for criterion in CRITERIA:
        p = problem(rows, criterion)
        S = p.covariance(np.arange(6))
        whole = exchange._losses(p, S, p.loss(S), 0)
        monkeypatch.setattr(exchange, "WIDTH", 200)
        np.testing.assert_allclose(exchange._losses(p, S, p.loss(S), 0), whole, rtol=1e-12)
        monkeypatch.undo()


def test_candidates_that_determine_too_little_end_in_none() -> None:
    rows = np.ones((5, 2))
    assert search(problem(rows, "D"), 3, 4, np.random.default_rng(0)) is None
    # a prior makes up for it
    assert search(problem(rows, "D", prior=np.eye(2)), 1, 4, np.random.default_rng(0)) is not None
