"""Running sums of effects over points, level by level."""

from __future__ import annotations

from bayeslmm.linalg.compiled import kernel


@kernel
def add_effects(u, beta, about_u, about_beta, first, last, sums, squares, cross):  # type: ignore[no-untyped-def]
    """Add S points of the levels first <= j < last, about fixed values so that little cancels.

    Parameters
    ----------
    u : ndarray, shape (S, J, k)
    beta : ndarray, shape (S, p)
    about_u, about_beta : ndarray, shapes (J, k) and (p,)
    first, last : int
    sums, squares, cross : ndarray, shapes (J, k), (J, k, k) and (J, k, p)
        Added to: u, u u' and u beta'.
    """
    k, p = u.shape[2], beta.shape[1]
    for s in range(u.shape[0]):
        for j in range(first, last):
            for a in range(k):
                x = u[s, j, a] - about_u[j, a]
                sums[j, a] += x
                for b in range(k):
                    squares[j, a, b] += x * (u[s, j, b] - about_u[j, b])
                for b in range(p):
                    cross[j, a, b] += x * (beta[s, b] - about_beta[b])
