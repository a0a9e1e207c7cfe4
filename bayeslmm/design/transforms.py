"""Evaluates syntax trees over the columns of a table, and keeps what each transform learnt.

There is no `eval`: a tree holds only what the whitelist of `bayeslmm.formula` lets through,
and each of its nodes has a line here. The bases themselves are formulaic's.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import numpy as np
from formulaic.transforms import basis_spline, natural_cubic_spline, poly, scale

from bayeslmm.design.columns import first_row, numbers
from bayeslmm.design.normal import Columns
from bayeslmm.design.types import Floats
from bayeslmm.errors import (
    BayeslmmError,
    DataError,
    DataWarning,
    FormulaError,
    listed,
    shorter,
    warn,
)
from bayeslmm.formula.syntax import Binary, Call, Column, Node, Number, Unary, show

_DEGREE = 20  # of a B-spline
_COLUMNS, _FEW_COLUMNS = 1_000, 50  # columns of one function, and those that always have room
_NUMBERS = 50_000_000  # numbers that they may be

State = dict[str, Any]
States = MutableMapping[str, State]

_ELEMENTWISE: dict[str, Callable[[Any], Any]] = {
    "I": lambda x: x,
    "abs": np.abs,
    "log": np.log,
    "log10": np.log10,
    "log1p": np.log1p,
    "log2": np.log2,
    "exp": np.exp,
    "sqrt": np.sqrt,
}

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "**": np.power,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}


def evaluate(node: Node, columns: Columns, states: States) -> Floats:
    """The values of an expression.

    Parameters
    ----------
    node : Node
    columns : Columns
        In normal form (see `columns.normalise`).
    states : dict
        What each transform learnt, by its text. A transform that isn't there yet learns from
        `columns` and is added.

    Returns
    -------
    ndarray, shape (n,) or, of `poly`, `bs` and `cr`, (n, k)

    Raises
    ------
    DataError
        If a column isn't numeric, or the result isn't finite.
    FormulaError
        If a transform can't be made with the settings given.
    """
    if isinstance(node, Column):
        return numbers(columns[node.name], f"The column {node.name!r}", node.name)
    # the rows at fault are named below, so numpy needn't warn as well
    with np.errstate(all="ignore"):
        values = np.asarray(_value(node, columns, states), dtype=np.float64)
    bad = ~np.isfinite(values if values.ndim == 1 else values.sum(axis=1))
    if bad.any():
        raise DataError(
            f"{shorter(show(node), 100)} is not finite in {bad.sum()} of {len(bad)} rows, "
            f"the first is row {first_row(columns.index, bad)}",
            hint=_why_not_finite(node),
        )
    return values


def _value(node: Node, columns: Columns, states: States) -> Any:
    match node:
        case Column(name):
            return numbers(columns[name], f"The column {name!r}", name)
        case Number():
            return np.float64(node.value)
        case Unary(operand):
            return np.negative(_as_number(_value(operand, columns, states)))
        case Binary(op, left, right):
            a, b = (_as_number(_value(side, columns, states)) for side in (left, right))
            return _OPERATORS[op](a, b)
        case Call(function, argument, _) if function in _ELEMENTWISE:
            return _ELEMENTWISE[function](_as_number(_value(argument, columns, states)))
        case Call():
            return _transform(node, columns, states)


def _as_number(value: Any) -> Any:
    """Truth values as 0 and 1: numpy would subtract them in another way."""
    return np.asarray(value, dtype=np.float64)


def _transform(call: Call, columns: Columns, states: States) -> Floats:
    x = np.asarray(_value(call.argument, columns, states), dtype=np.float64)
    if not np.isfinite(x).all():
        return np.full(len(x), np.nan)
    options = _numbers_as_meant({option.name: option.value for option in call.options})
    key = show(call)
    learning = key not in states
    state: State = {} if learning else copy.deepcopy(states[key])
    try:
        values = _TRANSFORMS[call.function](x, options, state)
    except BayeslmmError:
        raise
    except (ValueError, np.linalg.LinAlgError) as error:
        raise FormulaError(
            f"{shorter(key, 100)} can't be computed from these data", got=str(error)
        ) from error
    if learning:
        states[key] = state
    return values


def _numbers_as_meant(options: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as formulaic takes them: whole numbers as `int`, lists as lists."""
    whole = ("df", "degree")
    plain = {key: int(value) if key in whole else value for key, value in options.items()}
    return {key: list(v) if isinstance(v, tuple) else v for key, v in plain.items()}


def _center(x: Floats, options: dict[str, Any], state: State) -> Floats:
    return np.asarray(scale(x, center=True, scale=False, _state=state))


def _scale(x: Floats, options: dict[str, Any], state: State) -> Floats:
    return np.asarray(scale(x, _state=state, **options))


def _poly(x: Floats, options: dict[str, Any], state: State) -> Floats:
    degree = options.get("degree", 1)
    if not state:
        _within("poly", "degree", degree, x, 1, -1)
    # raw powers keep no state of their own; this marks them as learnt
    state.setdefault("degree", degree)
    return np.asarray(poly(x, _state=state, **options))


def _within(
    function: str, setting: str, value: float, x: Floats, least: int, beyond: int = 0
) -> None:
    """Refuse more columns than distinct values, or than memory allows.

    Parameters
    ----------
    function, setting : str
    value : int
        Of the setting.
    x : ndarray, shape (n,)
    least : int
        Smallest value.
    beyond : int
        How far the largest lies beyond the number of distinct values.
    """
    distinct = len(np.unique(x))
    room = max(_FEW_COLUMNS, _NUMBERS // len(x))
    most = min(distinct + beyond, _COLUMNS, room)
    if not least <= value <= most:
        raise DataError(
            f"{setting} of {function}() is out of range for {distinct} distinct values in "
            f"{len(x)} rows",
            got=f"{value:g}",
            allowed=f"{least} to {most}" if most >= least else "none: the column varies too little",
        )


def _check_spline(function: str, x: Floats, options: Mapping[str, Any]) -> None:
    if not options.get("degree", 3) <= _DEGREE:
        raise DataError(
            f"The degree of {function}() is too large",
            got=f"{options['degree']:g}",
            allowed=f"0 to {_DEGREE}",
        )
    if "degree" in options:
        _within(function, "degree", options["degree"], x, 0, -1)
    if "df" in options:
        _within(function, "df", options["df"], x, 1)
    lower, upper = (
        options.get("lower_bound", float(x.min())),
        options.get("upper_bound", float(x.max())),
    )
    if not lower < upper:
        raise DataError(
            f"The boundary knots of {function}() are not in order", got=f"{lower:g} and {upper:g}"
        )
    knots = options.get("knots")
    if knots is None:
        return
    _within(function, "The number of knots", len(knots), x, 0 if function == "bs" else 1)
    if not all(lower <= knot <= upper for knot in knots):
        raise DataError(
            f"The knots of {function}() lie outside its boundary knots",
            got=listed(f"{knot:g}" for knot in knots),
            allowed=f"{lower:g} to {upper:g}",
        )


def _bs(x: Floats, options: dict[str, Any], state: State) -> Floats:
    if not state:
        _check_spline("bs", x, options)
    # outside its range R continues the outer polynomials, and warns
    values = basis_spline(x, _state=state, extrapolation="extend", **options)
    outside = (x < state["lower_bound"]) | (x > state["upper_bound"])
    if outside.any():
        warn(
            f"bs(): {outside.sum()} of {len(x)} rows are outside the boundary knots "
            f"{state['lower_bound']:g} and {state['upper_bound']:g}, where the outer polynomials "
            "are extrapolated.",
            DataWarning,
        )
    return _stacked(values)


def _cr(x: Floats, options: dict[str, Any], state: State) -> Floats:
    if not state:
        _check_spline("cr", x, options)
    # free, a natural spline holds the constant; centred, as in mgcv, it can stand by an intercept
    centred = options.pop("center", True)
    constraint = {"constraints": "center"} if centred else {}
    return _stacked(natural_cubic_spline(x, _state=state, **options, **constraint))


def _stacked(values: Any) -> Floats:
    columns = getattr(values, "__wrapped__", values)
    return np.column_stack([columns[key] for key in columns])


_TRANSFORMS: dict[str, Callable[[Floats, dict[str, Any], State], Floats]] = {
    "center": _center,
    "scale": _scale,
    "poly": _poly,
    "bs": _bs,
    "cr": _cr,
}


def _why_not_finite(node: Node) -> str | None:
    if isinstance(node, Call) and node.function.startswith("log"):
        return "Logarithms need positive values"
    if isinstance(node, Call) and node.function == "sqrt":
        return "Square roots need values from 0 on"
    if isinstance(node, Call) and node.function == "scale":
        return "A column that doesn't vary can't be scaled"
    return "Look for a division by zero, or a number too large"
