"""Approximate minimum degree: the compiled elimination on a quotient graph.

An eliminated node becomes an *element*, whose list holds the variables that it joined; a
variable's list holds its elements first, then the variables it still touches by entries of the
matrix itself. Lists never grow, so that the storage is that of the matrix. Nodes that can't be
told apart are merged and eliminated together (their `size` counts them), an element whose
variables all lie in a newer one is absorbed, and degrees are bounded from above instead of
counted (Amestoy, Davis & Duff 1996).
"""

from __future__ import annotations

import numpy as np

from bayeslmm.linalg.compiled import kernel

DENSE = 10.0  # nodes with more than DENSE sqrt(n) neighbours are put last


@kernel
def _link(i, size, degree, lists):  # type: ignore[no-untyped-def]
    """Put a variable at the head of the list of its degree.

    That is the degree of one of its nodes, the others of the variable counted: with external
    degrees, merged ancestors tie with the last leaves below them, and nested designs would fill.
    """
    head, after, before = lists
    d = degree[i] + size[i] - 1
    after[i] = head[d]
    before[i] = -1
    if head[d] >= 0:
        before[head[d]] = i
    head[d] = i


@kernel
def _unlink(i, size, degree, lists):  # type: ignore[no-untyped-def]
    head, after, before = lists
    if before[i] >= 0:
        after[before[i]] = after[i]
    else:
        head[degree[i] + size[i] - 1] = after[i]
    if after[i] >= 0:
        before[after[i]] = before[i]


@kernel
def _compact(store, begin, length, size, outside):  # type: ignore[no-untyped-def]
    """Copy the lists of live variables and elements to the front of a new store."""
    fresh = np.empty_like(store)
    free = 0
    for i in range(len(begin)):
        if size[i] > 0 or outside[i] > 0:
            for k in range(length[i]):
                fresh[free + k] = store[begin[i] + k]
            begin[i] = free
            free += length[i]
    return fresh, free


@kernel
def _gather(p, free, store, graph, lists):  # type: ignore[no-untyped-def]
    """List what eliminating `p` joins, from `store[free]` on; absorb the elements of `p`.

    The variables listed have their `size` negated and leave the degree lists. Returns the end of
    the list and the number of nodes in it.
    """
    begin, count, length, size, outside, degree = graph
    q, total = free, 0
    size[p] = -size[p]
    for k in range(begin[p], begin[p] + count[p] + 1):
        own = k == begin[p] + count[p]  # after the elements: the variables of `p` itself
        if own:
            first, last = k, begin[p] + length[p]
        else:
            e = store[k]
            if outside[e] == 0:
                continue
            first, last = begin[e], begin[e] + length[e]
            outside[e] = 0
        for s in range(first, last):
            i = store[s]
            if size[i] > 0:
                _unlink(i, size, degree, lists)
                total += size[i]
                size[i] = -size[i]
                store[q] = i
                q += 1
    return q, total


@kernel
def _measure(first, last, stamp, store, begin, count, size, outside, degree):  # type: ignore[no-untyped-def]
    """For every element e that meets the new one: `outside[e] - stamp` nodes not in the new one."""
    for s in range(first, last):
        i = store[s]
        for k in range(begin[i], begin[i] + count[i]):
            e = store[k]
            if outside[e] >= stamp:
                outside[e] += size[i]  # size is negative here
            elif outside[e] != 0:
                outside[e] = degree[e] + stamp + size[i]


@kernel
def _prune(i, p, stamp, store, begin, count, length, size, outside):  # type: ignore[no-untyped-def]
    """Clear a variable's list of all that the new element covers, and enter the element.

    Returns a bound of its degree outside of the new element and the sum of its list; -1 where
    nothing is left, so that the variable can be eliminated together with `p`.
    """
    b = begin[i]
    q, bound, total = b, 0, 0
    for k in range(b, b + count[i]):
        e = store[k]
        if outside[e] > stamp:
            bound += outside[e] - stamp
            total += e
            store[q] = e
            q += 1
        else:
            outside[e] = 0  # dead, or all its variables are in the new element
    kept = q - b
    for k in range(b + count[i], b + length[i]):
        j = store[k]
        if size[j] > 0:
            bound += size[j]
            total += j
            store[q] = j
            q += 1
    if q == b:
        return -1, 0
    # At least `p` or one of its elements has left the list: there is room for one more.
    store[q] = store[b + kept]
    store[b + kept] = store[b]
    store[b] = p
    count[i], length[i] = kept + 1, q - b + 1
    return bound, total


@kernel
def _merge(i, tick, store, begin, count, length, size, chain, seen, parent):  # type: ignore[no-untyped-def]
    """Compare every variable of a chain with those behind it and merge equal ones."""
    while i >= 0 and chain[i] >= 0:
        tick += 1
        for k in range(begin[i], begin[i] + length[i]):
            seen[store[k]] = tick
        last, j = i, chain[i]
        while j >= 0:
            same = length[j] == length[i] and count[j] == count[i]
            k = begin[j]
            while same and k < begin[j] + length[j]:
                same = seen[store[k]] == tick
                k += 1
            if same:
                parent[j] = i
                size[i] += size[j]
                size[j] = 0
                chain[last] = chain[j]
            else:
                last = j
            j = chain[j]
        i = chain[i]
    return tick


@kernel
def _sequence(rank, parent):  # type: ignore[no-untyped-def]
    """The order of all nodes from the rank of the pivots they were eliminated with."""
    n = len(rank)
    start = np.zeros(n + 1, np.int64)
    for i in range(n):
        root = i
        while parent[root] >= 0:
            root = parent[root]
        node = i
        while node != root:
            above = parent[node]
            parent[node] = root
            node = above
        rank[i] = rank[root]
        start[rank[i] + 1] += 1
    for k in range(n):
        start[k + 1] += start[k]
    perm = np.empty(n, np.int64)
    for i in range(n):
        perm[start[rank[i]]] = i
        start[rank[i]] += 1
    return perm


@kernel
def _reduce(p, first, last, total, stamp, tick, store, graph, hashed, parent):  # type: ignore[no-untyped-def]
    """Bring the variables of the new element `p` up to date; merge those that became equal.

    Returns the number of nodes that stay in the element, and the last tick used.
    """
    begin, count, length, size, outside, degree = graph
    bucket, chain, key, seen = hashed
    for s in range(first, last):
        i = store[s]
        bound, entries = _prune(i, p, stamp, store, begin, count, length, size, outside)
        if bound < 0:
            parent[i] = p
            total += size[i]  # sizes are negative here
            size[p] += size[i]
            size[i] = 0
        else:
            degree[i] = min(degree[i], bound)
            key[i] = entries % len(key)
            chain[i] = bucket[key[i]]
            bucket[key[i]] = i
    for s in range(first, last):
        i = bucket[key[store[s]]]
        bucket[key[store[s]]] = -1
        tick = _merge(i, tick, store, begin, count, length, size, chain, seen, parent)
    return total, tick


@kernel
def _relink(first, last, total, left, least, store, size, degree, lists):  # type: ignore[no-untyped-def]
    """Put what is left of the new element's variables back into the degree lists."""
    q = first
    for s in range(first, last):
        i = store[s]
        if size[i] < 0:
            size[i] = -size[i]
            degree[i] = min(degree[i] + total - size[i], left - size[i])
            least = min(least, degree[i] + size[i] - 1)
            _link(i, size, degree, lists)
            store[q] = i
            q += 1
    return q, least


@kernel
def _room(p, free, store, graph):  # type: ignore[no-untyped-def]
    """A store with room behind `free` for the element of `p`."""
    begin, count, length, size, outside, _ = graph
    need = length[p]
    for k in range(begin[p], begin[p] + count[p]):
        need += length[store[k]]
    if free + min(need, len(begin)) > len(store):
        return _compact(store, begin, length, size, outside)
    return store, free


@kernel
def _degrees(start, neighbours, size, lists):  # type: ignore[no-untyped-def]
    """Set dense nodes apart (size 0) and link the others; returns degrees, how many others."""
    n = len(size)
    degree, left = np.zeros(n, np.int64), 0
    for i in range(n):
        if start[i + 1] - start[i] > max(16.0, DENSE * np.sqrt(n)):
            size[i] = 0
    for i in range(n):
        for k in range(start[i], start[i + 1]):
            degree[i] += size[neighbours[k]]
        if size[i] > 0:
            left += 1
            _link(i, size, degree, lists)
    return degree, left


@kernel
def minimum_degree(start, neighbours):  # type: ignore[no-untyped-def]
    """The order of elimination of a graph given as lists `neighbours[start[i]:start[i + 1]]`."""
    n, free = len(start) - 1, len(neighbours)
    store = np.empty(free + free // 5 + n + 1, np.int64)
    store[:free] = neighbours
    begin, length = start[:n].copy(), start[1:] - start[:n]
    size = np.ones(n, np.int64)  # nodes of a variable; 0: merged, eliminated or dense
    count = np.zeros(n, np.int64)  # elements in a variable's list
    outside = np.zeros(n, np.int64)  # 0: not a live element
    parent = np.full(n, -1, np.int64)  # what a variable was merged into
    rank = np.full(n, n - 1, np.int64)  # dense nodes keep the last one
    lists = (np.full(n + 1, -1, np.int64), np.full(n, -1, np.int64), np.full(n, -1, np.int64))
    hashed = (np.full(n, -1, np.int64), np.full(n, -1, np.int64), np.zeros(n, np.int64), rank * 0)
    degree, left = _degrees(start, neighbours, size, lists)
    graph = (begin, count, length, size, outside, degree)
    stamp, tick, step, least = 2, 0, 0, 0
    while left > 0:
        while lists[0][least] < 0:
            least += 1
        p = lists[0][least]
        _unlink(p, size, degree, lists)
        store, free = _room(p, free, store, graph)
        last, total = _gather(p, free, store, graph, lists)
        _measure(free, last, stamp, store, begin, count, size, outside, degree)
        total, tick = _reduce(p, free, last, total, stamp, tick, store, graph, hashed, parent)
        left += size[p]  # negative
        end, least = _relink(free, last, total, left, least, store, size, degree, lists)
        begin[p], length[p], degree[p], size[p] = free, end - free, total, 0
        outside[p] = 1 if end > free else 0
        rank[p], free = step, end
        step += 1
        stamp += n + 1
    return _sequence(rank, parent)
