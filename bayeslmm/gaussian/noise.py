"""Structured residuals, `R = sigma² S C S`: rows are whitened for every point of the structure's
coordinates delta, and what the room does with independent rows is done with those.

With `R = sigma² L L'`, `L⁻¹ [Z X y]` has independent residuals of one variance (Pinheiro & Bates,
2000, eq. 5.3), and log|L| is what the likelihood gains.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import batched, pairwise

import numpy as np
from numpy.typing import NDArray

from bayeslmm.linalg.batched import cholesky
from bayeslmm.linalg.noisy_levels import whiten_chains
from bayeslmm.linalg.whitening import solve_groups, unwhiten_chain
from bayeslmm.model import Model
from bayeslmm.model.residual import Residual

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
STEP = 1e-5
TOGETHER = 20_000  # correlations a point that are worked on at once


@dataclass(frozen=True, slots=True, eq=False)
class Alike:
    """Groups of k rows: U sets of places, and G groups that have each.

    Attributes
    ----------
    rows : ndarray of intp, shape (U, G, k)
    places : ndarray of intp, shape (U, k)
    """

    rows: Ints
    places: Ints


@dataclass(frozen=True, eq=False)
class Noise:
    """The residuals of some rows of a model.

    Attributes
    ----------
    residual : Residual
    rows : ndarray of intp, shape (n,)
        Rows of the design, a group's beside each other and in the order of their places.
    base : ndarray, shape (n,)
        What each row's sd is multiplied by: 1/sqrt(weight), or the known sd.
    """

    residual: Residual
    rows: Ints
    base: Floats

    @cached_property
    def starts(self) -> NDArray[np.bool_]:
        """Whether a group begins at each row, shape (n,)."""
        correlated = self.residual.correlated
        assert correlated is not None
        group = correlated.group[self.rows]
        return np.concatenate([[True], group[1:] != group[:-1]])

    @cached_property
    def alike(self) -> tuple[Alike, ...]:
        """Groups by what places they have; such sets of one size, and as often met, together."""
        correlated = self.residual.correlated
        assert correlated is not None
        place = correlated.place[self.rows]
        edges = np.append(np.flatnonzero(self.starts), len(self.rows))
        met: dict[bytes, list[int]] = {}
        for a, b in pairwise(edges):
            met.setdefault(place[a:b].tobytes(), []).append(int(a))
        found: dict[tuple[int, int], list[tuple[Ints, list[int]]]] = {}
        for key, first in met.items():
            own = np.frombuffer(key, dtype=place.dtype)
            found.setdefault((len(own), len(first)), []).append((own, first))
        out = []
        for (k, _), sets in found.items():
            for some in batched(sets, max(1, TOGETHER // k**2)):
                rows = np.array([first for _, first in some])[:, :, None] + np.arange(k)
                out.append(Alike(rows, np.stack([own for own, _ in some])))
        return tuple(out)

    @cached_property
    def _known_root(self) -> Floats:
        assert self.residual.known is not None
        return np.linalg.cholesky(self.residual.known[np.ix_(self.rows, self.rows)])

    def scales(self, ratios: Floats, values: Floats) -> Floats:
        """Standard deviations over sigma's at one point, shape (n,)."""
        own = self.residual.row_scales(ratios, values)
        return np.asarray(self.base * (own[self.rows] if own.ndim else own))

    def scales_at(self, ratios: Floats, values: Floats) -> Floats:
        """The same at S points, shape (S, n)."""
        out = np.broadcast_to(self.base, (len(ratios), len(self.base)))
        if self.residual.strata is not None:
            out = out * ratios[:, self.residual.strata.codes[self.rows]]
        for i, f in enumerate(self.residual.functions):
            out = out * np.exp(values[:, i, None] * f.base[self.rows])
        return np.ascontiguousarray(out)

    def whiten(self, delta: Floats, table: Floats) -> tuple[Floats, Floats]:
        """`L⁻¹` times the columns of a table of these rows, at S points.

        Parameters
        ----------
        delta : ndarray, shape (S, d)
        table : ndarray, shape (n, c)

        Returns
        -------
        log_det : ndarray, shape (S,)
            log|L|.
        white : ndarray, shape (S, n, c)
        """
        ratios, values, _ = self.residual.natural(delta)
        size = len(delta)
        scales = self.scales_at(ratios, values)
        out = np.empty((size, *table.shape))
        with np.errstate(all="ignore"):
            if self.residual.known is not None:
                log_det = self._by_matrix(scales, table, out)
            elif self.residual.correlated is None:
                np.divide(table, scales[:, :, None], out=out)
                log_det = np.log(scales).sum(axis=1)
            else:
                log_det = self._by_pattern(values, scales, table, out)
        return log_det, out

    def _by_matrix(self, scales: Floats, table: Floats, out: Floats) -> Floats:
        root = self._known_root
        for s in range(len(scales)):
            out[s] = np.linalg.solve(root, table / scales[s][:, None])
        return np.log(scales).sum(axis=1) + np.log(np.diag(root)).sum()

    def _by_pattern(self, values: Floats, scales: Floats, table: Floats, out: Floats) -> Floats:
        correlated = self.residual.correlated
        assert correlated is not None
        own = values[:, len(self.residual.functions) :]
        before, after, which = self._met
        steps = correlated.pattern.steps(own, correlated.places, before, after)
        if steps is not None:
            log_det = np.empty(len(own))
            whiten_chains(steps, which, self.starts, scales, table, out, log_det)
            return log_det
        log_det = np.log(scales).sum(axis=1)
        scaled = table / scales[:, :, None]
        for alike in self.alike:
            roots = self._roots(own, alike)
            log_det += _log_det(roots, alike)
            size, sets, k, _ = roots.shape
            groups = scaled[:, alike.rows].reshape(size * sets, -1, k, table.shape[1])
            white = solve_groups(roots.reshape(-1, k, k), groups)
            out[:, alike.rows] = white.reshape(size, sets, -1, k, table.shape[1])
        return log_det

    def _steps(self, own: Floats) -> Floats | None:
        """Correlation of each row with the one before, at one point; None if no Markov chain."""
        correlated = self.residual.correlated
        assert correlated is not None
        before, after, which = self._met
        found = correlated.pattern.steps(own[None], correlated.places, before, after)
        if found is None:
            return None
        out = found[0, which]
        out[self.starts] = 0.0
        return out

    @cached_property
    def _met(self) -> tuple[Ints, Ints, Ints]:
        """Distinct pairs of places that follow each other, and that of each row."""
        correlated = self.residual.correlated
        assert correlated is not None
        place, count = correlated.place[self.rows], len(correlated.places)
        before = np.concatenate([place[:1], place[:-1]])
        keys, which = np.unique(before * count + place, return_inverse=True)
        return keys // count, keys % count, which.ravel()

    def _roots(self, own: Floats, alike: Alike) -> Floats:
        """Roots of the correlations of groups that are alike, shape (S, U, k, k)."""
        correlated = self.residual.correlated
        assert correlated is not None
        return cholesky(correlated.pattern.parts(own, correlated.places, alike.places))

    @cached_property
    def pattern(self) -> tuple[Ints, Ints]:
        """Rows i, j of every entry of R⁻¹ that may differ from zero, both triangles."""
        own = np.arange(len(self.rows))
        if self.residual.known is not None:
            i, j = np.indices((len(own), len(own)))
            return i.ravel(), j.ravel()
        if self.residual.correlated is None:
            return own, own
        if self._steps(self._start) is not None:
            after = own[~self.starts]
            return (
                np.concatenate([own, after, after - 1]),
                np.concatenate([own, after - 1, after]),
            )
        parts = [
            tuple(x.ravel() for x in np.broadcast_arrays(a.rows[..., None], a.rows[..., None, :]))
            for a in self.alike
        ]
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    @property
    def _start(self) -> Floats:
        correlated = self.residual.correlated
        assert correlated is not None
        return np.array([p.start for p in correlated.parameters])

    def precision(self, delta: Floats) -> Floats:
        """Entries of `sigma² R⁻¹` on the pattern at S points, shape (S, e)."""
        return self._precision(delta)[0]

    def _precision(self, delta: Floats) -> tuple[Floats, Floats]:
        """Those entries, and log|L|, shape (S,)."""
        ratios, values, _ = self.residual.natural(delta)
        i, j = self.pattern
        with np.errstate(all="ignore"):
            scales = self.scales_at(ratios, values)
            entries, log_det = self._inverse_correlations(values)
            log_det = log_det + np.log(scales).sum(axis=1)
            return np.asarray(entries / (scales[:, i] * scales[:, j])), log_det

    def slopes(self, delta: Floats) -> tuple[Floats, Floats]:
        """Derivatives by delta, at one point, of those entries, (d, e), and of log|L|, (d,)."""
        d = len(delta)
        moves = STEP * np.eye(d)
        points = np.concatenate([delta + moves, delta - moves])
        entries, log_det = self._precision(points)
        return (
            (entries[:d] - entries[d:]) / (2 * STEP),
            (log_det[:d] - log_det[d:]) / (2 * STEP),
        )

    def _inverse_correlations(self, values: Floats) -> tuple[Floats, Floats]:
        """Entries of the inverse of C at S points, and half of log|C|, shape (S,)."""
        size = len(values)
        if self.residual.known is not None:
            half = np.linalg.inv(self._known_root)
            log_det = np.full(size, -np.log(np.diag(half)).sum())
            return np.broadcast_to((half.T @ half).ravel(), (size, half.size)), log_det
        if self.residual.correlated is None:
            return np.ones((size, len(self.rows))), np.zeros(size)
        own = values[:, len(self.residual.functions) :]
        if self._steps(own[0]) is not None:
            chains = [self._inverse_chain(one) for one in own]
            return np.stack([c for c, _ in chains]), np.array([log for _, log in chains])
        out, log_det = [], np.zeros(size)
        for alike in self.alike:
            roots = self._roots(own, alike)
            log_det += _log_det(roots, alike)
            ok = np.isfinite(roots[..., -1, -1])
            half = np.full_like(roots, np.nan)
            half[ok] = np.linalg.inv(roots[ok])
            inverse = half.swapaxes(2, 3) @ half
            out.append(np.repeat(inverse, alike.rows.shape[1], axis=1).reshape(size, -1))
        return np.concatenate(out, axis=1), log_det

    def _inverse_chain(self, own: Floats) -> tuple[Floats, float]:
        """The same of a Markov chain at one point: nothing beyond neighbours."""
        r = self._steps(own)
        assert r is not None
        apart = (1.0 - r) * (1.0 + r)
        left = 1.0 / apart
        diagonal = left + np.append((r**2 * left)[1:], 0.0)
        off = (-r * left)[~self.starts]
        return np.concatenate([diagonal, off, off]), 0.5 * float(np.log(apart).sum())

    def draw(self, delta: Floats, noise: Floats) -> Floats:
        """Residuals over sigma, `L` times standard normals of shape (S, n), a point each."""
        ratios, values, _ = self.residual.natural(delta)
        out = np.empty_like(noise)
        for s in range(len(delta)):
            scales = self.scales(ratios[s], values[s])
            out[s] = self._draw_one(values[s], scales, noise[s])
        return out

    def _draw_one(self, values: Floats, scales: Floats, noise: Floats) -> Floats:
        if self.residual.known is not None:
            return np.asarray(scales * (self._known_root @ noise))
        correlated = self.residual.correlated
        if correlated is None:
            return scales * noise
        own = values[len(self.residual.functions) :]
        steps = self._steps(own)
        out = np.empty((len(noise), 1))
        if steps is not None:
            unwhiten_chain(steps, scales, noise[:, None].copy(), out)
            return out[:, 0]
        for alike in self.alike:
            roots = self._roots(own[None], alike)[0]
            out[alike.rows, 0] = noise[alike.rows] @ roots.swapaxes(1, 2)
        return scales * out[:, 0]


def _log_det(roots: Floats, alike: Alike) -> Floats:
    """Of all groups' roots, shape (S,), from those of each set of places."""
    return alike.rows.shape[1] * np.log(np.einsum("sukk->suk", roots)).sum(axis=(1, 2))


def noise_of(model: Model) -> Noise | None:
    """The structured residuals of a model's rows in the likelihood; None where there are none."""
    if model.residual is None:
        return None
    rows = np.flatnonzero(model.used)
    correlated = model.residual.correlated
    if correlated is not None:
        rows = rows[np.lexsort((correlated.place[rows], correlated.group[rows]))]
    return Noise(model.residual, rows, 1.0 / np.sqrt(model.precision_weights[rows]))
