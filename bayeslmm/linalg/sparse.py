"""Sparse Cholesky factors of one pattern, again and again.

The symbolic work (order, elimination tree, pattern of L) is done once by `symbolic.analyse`;
the numeric kernels work on plain arrays that the caller owns, so that every thread can factor
values of its own. All of them take, in this order,

    colptr, rows, panels    the pattern of L (see `Symbolic`),
    x                       values of L (or, before `factor`, of P A P'), float64 (nnz,),

and then what they read and write. A *panel* is a run of columns with the same rows below it, so
that its columns are dense and the inner loops run over contiguous memory.
"""

from __future__ import annotations

import numpy as np

from bayeslmm.linalg.compiled import kernel


@kernel
def scatter(place, values, x):  # type: ignore[no-untyped-def]
    """`x` becomes the values of P A P' on L's pattern: given entries at their place, else zero."""
    x[:] = 0.0
    for p in range(len(place)):
        x[place[p]] = values[p]


@kernel
def log_diagonal(colptr, x):  # type: ignore[no-untyped-def]
    """`log|L|`, the sum of the logarithms of L's diagonal."""
    total = 0.0
    for j in range(len(colptr) - 1):
        total += np.log(x[colptr[j]])
    return total


@kernel
def _downdate(y, x, colptr, first, count, offset):  # type: ignore[no-untyped-def]
    """`y -= sum_t l_t l_t[0]`, l_t the tail of column `first + t` from its panel's row `offset` on.

    Four columns at a time: each number of `y` is then loaded and stored a quarter as often.
    """
    m = len(y)
    t = 0
    while t + 4 <= count:
        p = colptr[first + t] + offset - t
        q = colptr[first + t + 1] + offset - t - 1
        r = colptr[first + t + 2] + offset - t - 2
        s = colptr[first + t + 3] + offset - t - 3
        a, b, c, d = x[p : p + m], x[q : q + m], x[r : r + m], x[s : s + m]
        wa, wb, wc, wd = x[p], x[q], x[r], x[s]
        for i in range(m):
            y[i] -= (wa * a[i] + wb * b[i]) + (wc * c[i] + wd * d[i])
        t += 4
    while t < count:
        p = colptr[first + t] + offset - t
        a, wa = x[p : p + m], x[p]
        for i in range(m):
            y[i] -= wa * a[i]
        t += 1


@kernel
def _update(first, last, source, end, q, colptr, rows, x, position, spare):  # type: ignore[no-untyped-def]
    """Subtract from panel `first..last` what columns `source..end` contribute, from row `q` on.

    Returns the first row of the source that lies beyond the panel.
    """
    base = colptr[source]
    size = colptr[source + 1] - base
    while q < size and rows[base + q] < last:
        column = rows[base + q]
        target = colptr[column] - (column - first)
        m = size - q
        where = rows[base + q : base + size]
        if end - source == 1:
            tail, weight = x[base + q : base + size], x[base + q]
            for i in range(m):
                x[target + position[where[i]]] -= weight * tail[i]
        else:
            y = spare[:m]
            y[:] = 0.0
            _downdate(y, x, colptr, source, end - source, q)
            for i in range(m):
                x[target + position[where[i]]] += y[i]
        q += 1
    return q


@kernel
def _factor_panel(first, last, colptr, x):  # type: ignore[no-untyped-def]
    """Factor a panel that all earlier columns have been subtracted from; 0 or where it failed."""
    for j in range(first, last):
        begin, end = colptr[j], colptr[j + 1]
        _downdate(x[begin:end], x, colptr, first, j - first, j - first)
        pivot = x[begin]
        if not (pivot > 0.0 and pivot < np.inf):
            return j + 1
        pivot = np.sqrt(pivot)
        x[begin] = pivot
        for p in range(begin + 1, end):
            x[p] /= pivot
    return 0


@kernel
def factor(colptr, rows, panels, x, links, spare):  # type: ignore[no-untyped-def]
    """Cholesky factor in place, panel by panel, looking left (Ng & Peyton 1993).

    Parameters
    ----------
    colptr, rows, panels : int64 arrays
        Of a `Symbolic`.
    x : float64 array, (nnz,)
        Values of P A P' on L's pattern (see `scatter`); overwritten by those of L.
    links, spare : arrays
        Of `Symbolic.workspace`; overwritten.

    Returns
    -------
    int
        0, or the 1-based column (permuted order) whose pivot was not positive and finite.
    """
    head, following, reached, position, owner = links[0], links[1], links[2], links[3], links[4]
    _owners(panels, owner)
    head[:] = -1  # panels that wait for a panel: those with their next row in it
    for panel in range(len(panels) - 1):
        first, last = panels[panel], panels[panel + 1]
        begin, end = colptr[first], colptr[first + 1]
        for p in range(begin, end):
            position[rows[p]] = p - begin
        source = head[panel]
        reached[panel], following[panel], head[panel] = 0, source, panel
        while source >= 0:
            reached[source] = _update(
                first,
                last,
                panels[source],
                panels[source + 1],
                reached[source],
                colptr,
                rows,
                x,
                position,
                spare[0],
            )
            source = following[source]
        failed = _factor_panel(first, last, colptr, x)
        if failed > 0:
            return failed
        reached[panel] = last - first
        source = head[panel]
        while source >= 0:
            after = following[source]
            p = colptr[panels[source]] + reached[source]
            if p < colptr[panels[source] + 1]:
                following[source], head[owner[rows[p]]] = head[owner[rows[p]]], source
            source = after
    return 0


@kernel
def _owners(panels, owner):  # type: ignore[no-untyped-def]
    for panel in range(len(panels) - 1):
        owner[panels[panel] : panels[panel + 1]] = panel


@kernel
def _subtract_rows(b, j, x, p, rows, s, count):  # type: ignore[no-untyped-def]
    """`b[j] -= sum_t x[p + t] b[rows[s + t]]`, four rows at a time."""
    r = b.shape[1]
    y = b[j]
    t = 0
    while t + 4 <= count:
        wa, wb, wc, wd = x[p + t], x[p + t + 1], x[p + t + 2], x[p + t + 3]
        u, v = b[rows[s + t]], b[rows[s + t + 1]]
        w, z = b[rows[s + t + 2]], b[rows[s + t + 3]]
        for i in range(r):
            y[i] -= (wa * u[i] + wb * v[i]) + (wc * w[i] + wd * z[i])
        t += 4
    while t < count:
        wa, u = x[p + t], b[rows[s + t]]
        for i in range(r):
            y[i] -= wa * u[i]
        t += 1


@kernel
def solve_lower(colptr, rows, panels, x, b):  # type: ignore[no-untyped-def]
    """`b <- L⁻¹ b` in place.

    Parameters
    ----------
    colptr, rows, panels : int64 arrays
        Of a `Symbolic`.
    x : float64 array, (nnz,)
        Values of L.
    b : float64 array, (n, r), C-contiguous
        In permuted order, `b[perm]`.
    """
    r = b.shape[1]
    for j in range(len(colptr) - 1):
        begin, end = colptr[j], colptr[j + 1]
        source = b[j]
        for i in range(r):
            source[i] /= x[begin]
        if r == 1:
            value = source[0]
            for p in range(begin + 1, end):
                b[rows[p], 0] -= x[p] * value
        else:
            for p in range(begin + 1, end):
                weight, target = x[p], b[rows[p]]
                for i in range(r):
                    target[i] -= weight * source[i]


@kernel
def solve_upper(colptr, rows, panels, x, b):  # type: ignore[no-untyped-def]
    """`b <- L⁻ᵀ b` in place; parameters as in `solve_lower`."""
    r = b.shape[1]
    for j in range(len(colptr) - 2, -1, -1):
        begin, end = colptr[j], colptr[j + 1]
        if r == 1:
            value = b[j, 0]
            for p in range(begin + 1, end):
                value -= x[p] * b[rows[p], 0]
            b[j, 0] = value
        else:
            _subtract_rows(b, j, x, begin + 1, rows, begin + 1, end - begin - 1)
        for i in range(r):
            b[j, i] /= x[begin]


@kernel
def _dot(a, b):  # type: ignore[no-untyped-def]
    """Inner product in four partial sums, which don't wait for each other."""
    m = min(len(a), len(b))
    r, s, t, u = 0.0, 0.0, 0.0, 0.0
    i = 0
    while i + 4 <= m:
        r += a[i] * b[i]
        s += a[i + 1] * b[i + 1]
        t += a[i + 2] * b[i + 2]
        u += a[i + 3] * b[i + 3]
        i += 4
    while i < m:
        r += a[i] * b[i]
        i += 1
    return (r + s) + (t + u)


@kernel
def _locate(wanted, among, where):  # type: ignore[no-untyped-def]
    """Positions of ascending `wanted` in ascending `among`, which holds them all."""
    low, n = 0, len(among)
    for k in range(len(wanted)):
        step = 1  # gallop: the next one is mostly near
        high = low
        while high < n and among[high] < wanted[k]:
            low = high + 1
            high += step
            step *= 2
        high = min(high, n - 1)
        while low < high:
            middle = (low + high) // 2
            if among[middle] < wanted[k]:
                low = middle + 1
            else:
                high = middle
        where[k] = low
        low += 1


@kernel
def _times_below(first, last, colptr, rows, panels, owner, x, z, where, spare):  # type: ignore[no-untyped-def]
    """`Z22 L21` of a panel into its part of `z`, Z22 the inverse at the panel's rows below."""
    width = last - first
    below = rows[colptr[first] + width : colptr[first + 1]]
    m = len(below)
    for d in range(width):
        p = colptr[first + d] + width - d
        z[p : p + m] = 0.0
    k, stop, base = 0, 0, 0
    for k in range(m):
        column = below[k]
        if column >= stop:
            panel = owner[column]
            base, stop = panels[panel], panels[panel + 1]
            _locate(below[k:], rows[colptr[base] : colptr[base + 1]], where[k:m])
        start = colptr[column] - (column - base)
        s = spare[: m - k]
        for i in range(m - k):
            s[i] = z[start + where[k + i]]
        for d in range(width):
            p = colptr[first + d] + width - d + k
            tail, y = x[p : p + m - k], z[p : p + m - k]
            weight = tail[0]
            y[0] += _dot(s, tail)
            for i in range(1, m - k):
                y[i] += weight * s[i]


@kernel
def _invert_panel(first, last, colptr, x, z):  # type: ignore[no-untyped-def]
    """A panel's part of the inverse from `Z L = L⁻ᵀ`, given `Z22 L21` below it."""
    for j in range(last - 1, first - 1, -1):
        begin, end = colptr[j], colptr[j + 1]
        pivot = x[begin]
        m = end - begin - (last - j)
        y = z[end - m : end]
        for e in range(j + 1, last):
            weight, other = x[begin + e - j], z[colptr[e + 1] - m : colptr[e + 1]]
            for i in range(m):
                y[i] += weight * other[i]
        for i in range(m):
            y[i] /= -pivot
        tail = x[end - m : end]
        for i in range(last - 1, j, -1):
            total = _dot(z[colptr[i + 1] - m : colptr[i + 1]], tail)
            for k in range(j + 1, last):
                total += z[colptr[min(i, k)] + abs(i - k)] * x[begin + k - j]
            z[begin + i - j] = -total / pivot
        z[begin] = (1.0 / pivot - _dot(z[begin + 1 : end], x[begin + 1 : end])) / pivot


@kernel
def selected_inverse(colptr, rows, panels, x, z, links, spare):  # type: ignore[no-untyped-def]
    """The entries of `(L L')⁻¹` on L's pattern, without the others.

    Parameters
    ----------
    colptr, rows, panels : int64 arrays
        Of a `Symbolic`.
    x : float64 array, (nnz,)
        Values of L.
    z : float64 array, (nnz,)
        Overwritten by the entries of the inverse, in permuted order.
    links, spare : arrays
        Of `Symbolic.workspace`; overwritten.

    References
    ----------
    Takahashi, Fagan & Chen (1973); Erisman & Tinney (1975), On computing certain elements of the
    inverse of a sparse matrix.
    """
    owner, where = links[0], links[1]
    _owners(panels, owner)
    for panel in range(len(panels) - 2, -1, -1):
        first, last = panels[panel], panels[panel + 1]
        _times_below(first, last, colptr, rows, panels, owner, x, z, where, spare[0])
        _invert_panel(first, last, colptr, x, z)
