"""Designs with covariance structures on both sides, and what textbooks say of them.

`covariance_of_rows` and `covariance_of_effects` make R and G entry by entry out of natural
numbers, two rows or two coefficients at a time: no formula here is the library's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import linalg, sparse, special

from bayeslmm.covariance import Patterned
from bayeslmm.gaussian.variances import Variances
from bayeslmm.model import Model, relationship
from tests.unit.gaussian.designs import quietly
from tests.unit.gaussian.oracle import Dense

Numbers = Mapping[str, float]
OCCASIONS = ("1", "2", "3", "5")  # 4 is a gap


def frame_of(seed: int = 0) -> pd.DataFrame:
    """Groups of one to four occasions out of 1, 2, 3, 5, rows in no order, a crossed factor."""
    rng = np.random.default_rng(seed)
    rows = []
    for g in range(9):
        count = (1, 4, 3, 2, 4, 3, 4, 2, 4)[g]
        for o in rng.permutation(4)[:count]:
            rows.append((f"g{g}", OCCASIONS[o]))
    n = len(rows)
    order = rng.permutation(n)
    g = np.array([r[0] for r in rows])[order]
    o = np.array([r[1] for r in rows])[order]
    item = np.array([f"i{k}" for k in rng.permutation(np.arange(n) % 5)])
    weights = rng.uniform(0.3, 3.0, n)
    weights[[4, 11]] = 0.0
    x = rng.normal(1.0, 1.0, n)
    return pd.DataFrame(
        {
            "y": 2 + 0.5 * x + rng.normal(size=9)[[int(v[1]) for v in g]] + rng.normal(size=n),
            "x": x,
            "z": rng.normal(size=n),
            "g": g,
            "o": np.array([f"o{v}" for v in o]),
            "t": o.astype(float),
            "half": 7.0 + 0.5 * o.astype(float),
            "time": rng.uniform(0.0, 3.0, n),
            "px": rng.uniform(0.0, 2.0, n),
            "py": rng.uniform(0.0, 2.0, n),
            "sex": np.where(np.isin(g, ["g0", "g2", "g3", "g7"]), "F", "M"),
            "v": rng.uniform(0.5, 4.0, n) * rng.choice([-1.0, 1.0], n),
            "item": item,
            "w": weights,
            "s": rng.uniform(0.5, 1.5, n),
            "off": rng.normal(0.0, 2.0, n),
        }
    )


@dataclass(frozen=True)
class Residuals:
    """What `residual=` says, and what it means for two rows.

    Attributes
    ----------
    text : str
    pattern : str
        What correlates, empty where nothing does.
    at : tuple of str
        Columns that say where; none where rows are counted.
    strata : str
        The column with an sd for each level.
    functions : tuple of str
    everything : bool
        All rows are one group.
    """

    text: str
    pattern: str = ""
    at: tuple[str, ...] = ()
    strata: str = ""
    functions: tuple[str, ...] = ()
    everything: bool = False


RESIDUALS = {
    "us": Residuals("us(o | g)", "us", ("o",), "o"),
    "cs": Residuals("cs(o | g, hom=True)", "cs"),
    "cs het": Residuals("cs(o | g)", "cs", (), "o"),
    "cs of rows": Residuals("cs(1 | g)", "cs"),
    "ar1": Residuals("ar1(t | g)", "ar1", ("t",)),
    "ar1 in halves": Residuals("ar1(half | g)", "ar1 halves", ("half",)),
    "ar1 het": Residuals("ar1(t | g, hom=False)", "ar1", ("t",), "t"),
    "ar1 of rows": Residuals("ar1(1 | g)", "ar1"),
    "ar1 of all rows": Residuals("ar1(1 | 1)", "ar1", everything=True),
    "car1": Residuals("car1(time | g)", "car1", ("time",)),
    "arma": Residuals("arma(t | g)", "arma", ("t",)),
    "arma het": Residuals("arma(t | g, hom=False)", "arma", ("t",), "t"),
    "toep": Residuals("toep(t | g, hom=True)", "toep", ("t",)),
    "toep het": Residuals("toep(t | g)", "toep", ("t",), "t"),
    "ante": Residuals("ante(t | g, hom=True)", "ante", ("t",)),
    "ante het": Residuals("ante(t | g)", "ante", ("t",), "t"),
    "fa": Residuals("fa(o | g, k=1, hom=True)", "fa", ("o",)),
    "fa het": Residuals("fa(o | g, k=1)", "fa", ("o",), "o"),
    "exp": Residuals("exp(px + py | g)", "exp", ("px", "py")),
    "exp in time": Residuals("exp(time | g)", "exp", ("time",)),
    "exp nugget": Residuals("exp(px + py | g, nugget=True)", "exp", ("px", "py")),
    "exp nugget with copies": Residuals("exp(t | sex, nugget=True)", "exp", ("t",)),
    "gau": Residuals("gau(px + py | g)", "gau", ("px", "py")),
    "gau nugget": Residuals("gau(time | g, nugget=True)", "gau", ("time",)),
    "matern": Residuals("matern(px + py | g)", "matern", ("px", "py")),
    "matern of all rows": Residuals(
        "matern(px + py | 1, nugget=True)", "matern", ("px", "py"), everything=True
    ),
    "diag": Residuals("diag(sex)", strata="sex"),
    "varpower": Residuals("varpower(v)", functions=("varpower(v)",)),
    "varexp": Residuals("varexp(x)", functions=("varexp(x)",)),
    "diag and both": Residuals(
        "diag(sex) + varpower(v) + varexp(x)",
        strata="sex",
        functions=("varpower(v)", "varexp(x)"),
    ),
    "ar1, diag and varpower": Residuals(
        "varpower(v) + ar1(t | g) + diag(sex)", "ar1", ("t",), "sex", ("varpower(v)",)
    ),
    "us and varexp": Residuals("us(o | g) + varexp(x)", "us", ("o",), "o", ("varexp(x)",)),
}

# The random part beside it: in the same groups, crossed with them, and both.
RANDOM = {
    "alone": "y ~ x",
    "nested": "y ~ x + (x | g)",
    "crossed": "y ~ x + (1 | item)",
    "both": "y ~ x + (x || g) + (1 | item)",
}

# On the side of the effects: two rows of every coefficient in most groups.
EFFECTS = {
    "us": "us(0 + o | g)",
    "cs": "cs(0 + o | g, hom=True)",
    "cs het": "cs(0 + o | g)",
    "cs with an intercept": "cs(1 + x + z | g)",
    "cs with an intercept, hom": "cs(1 + x + z | g, hom=True)",
    "ar1": "ar1(0 + t | g)",
    "ar1 het": "ar1(0 + t | g, hom=False)",
    "car1": "car1(0 + t | g)",
    "car1 het": "car1(0 + t | g, hom=False)",
    "arma": "arma(0 + t | g)",
    "arma het": "arma(0 + t | g, hom=False)",
    "toep": "toep(0 + t | g, hom=True)",
    "toep het": "toep(0 + t | g)",
    "ante": "ante(0 + t | g, hom=True)",
    "ante het": "ante(0 + t | g)",
    "fa": "fa(0 + o | g, k=1, hom=True)",
    "fa het": "fa(0 + o | g, k=1)",
    "exp": "exp(0 + t | g)",
    "exp het, nugget": "exp(0 + t | g, hom=False, nugget=True)",
    "exp in the plane": "exp(0 + ex + ey | g)",
    "gau": "gau(0 + t | g)",
    "gau het": "gau(0 + t | g, hom=False)",
    "matern": "matern(0 + t | g)",
    "matern het, nugget": "matern(0 + t | g, hom=False, nugget=True)",
    "two on a factor": "ar1(0 + t | g) + (1 | g)",
    "one level": "exp(0 + ex + ey | one)",
}


def effects_frame(seed: int = 0) -> pd.DataFrame:
    """Every row of `frame_of` twice, responses of their own; occasions have places in a plane."""
    frame = pd.concat([frame_of(seed)] * 2, ignore_index=True)
    rng = np.random.default_rng(seed + 50)
    codes = frame["o"].map({f"o{o}": i for i, o in enumerate(OCCASIONS)}).to_numpy()
    n = len(frame)
    return frame.assign(
        y=frame["y"] + rng.normal(size=n),
        x=rng.normal(1.0, 1.0, n),
        z=rng.normal(0.0, 2.0, n),
        ex=np.array([0.0, 1.0, 1.0, 0.25])[codes],
        ey=np.array([0.0, 0.5, 2.0, 1.75])[codes],
        one="all",
        time=rng.uniform(0.0, 3.0, n),
    )


def correlation(pattern: str, par: Numbers, a: Any, b: Any, ranks: list[Any]) -> float:
    """Of two different places of one group, each a label or a tuple of numbers.

    `ranks` are all places in order, by which antedependence and lags count.
    """
    if pattern == "us":
        first, second = sorted((a, b), key=ranks.index)
        return par[f"cor({first},{second})"]
    if pattern == "cs":
        return par["rho"]
    if pattern == "fa":
        return par[f"loading1({a})"] * par[f"loading1({b})"]
    distance = math.dist(a, b)
    if pattern == "ar1":
        return par["rho"] ** round(distance)
    if pattern == "ar1 halves":
        return par["rho"] ** round(2 * distance)
    if pattern == "car1":
        return math.exp(distance * math.log(par["rho"]))
    if pattern == "toep":
        return par[f"rho{round(distance)}"]
    if pattern == "arma":  # by the series e_t = sum of psi_j a_(t-j), psi_0 = 1
        psi = np.append(1.0, (par["phi"] + par["theta"]) * par["phi"] ** np.arange(600.0))
        lag = round(distance)
        return float(psi[lag:] @ psi[: len(psi) - lag] / (psi @ psi))
    if pattern == "ante":
        i, j = sorted((ranks.index(a), ranks.index(b)))
        return math.prod(par[f"rho{k + 1}"] for k in range(i, j))
    share = 1.0 - par.get("nugget", 0.0)
    scaled = distance / par["range"]
    if scaled == 0:
        return share
    if pattern == "exp":
        return share * math.exp(-scaled)
    if pattern == "gau":
        return share * math.exp(-scaled * scaled)
    s = par["smoothness"]
    return share * 2 ** (1 - s) / math.gamma(s) * scaled**s * float(special.kv(s, scaled))


def covariance_of_rows(
    frame: pd.DataFrame, case: Residuals, sigma: Numbers, par: Numbers, base: np.ndarray
) -> np.ndarray:
    """R of the rows in the likelihood; `sigma` by stratum (under "" where there are none)."""
    n = len(frame)
    sd = np.array([sigma[level] for level in frame[case.strata].astype(str)]
                  if case.strata == "o" or case.strata == "sex" else
                  [sigma[f"{level:g}"] for level in frame[case.strata]]
                  if case.strata else [sigma[""]] * n)  # fmt: skip
    if "varpower(v)" in case.functions:
        sd = sd * np.abs(frame["v"].to_numpy()) ** par["varpower(v)"]
    if "varexp(x)" in case.functions:
        sd = sd * np.exp(par["varexp(x)"] * frame["x"].to_numpy())
    sd = sd * base
    out = np.diag(sd**2)
    if not case.pattern:
        return out
    column = "sex" if "| sex" in case.text else "g"
    group = ["all"] * n if case.everything else frame[column].tolist()
    if case.at == ("o",):
        place: list[Any] = frame["o"].tolist()
    elif case.at:
        place = [tuple(map(float, p)) for p in frame[list(case.at)].to_numpy()]
    else:
        place = [(float(v),) for v in frame["rank"]]
        if case.everything:
            place = [(float(v),) for v in frame["row"]]
    ranks = sorted(set(place))
    for i in range(n):
        for j in range(i):
            if group[i] == group[j]:
                value = correlation(case.pattern, par, place[i], place[j], ranks)
                out[i, j] = out[j, i] = value * sd[i] * sd[j]
    return out


EXTRAS: dict[str, dict[str, Any]] = {
    "plain": {},
    "weights": {"weights": "w", "offset": "off"},
    "known sd": {"known_sd": "s"},
    "missing": {},
}


@dataclass(frozen=True)
class Setting:
    """A model with the frame of its rows in the likelihood, in the design's order."""

    model: Model
    frame: pd.DataFrame
    case: Residuals | None = None
    kin: Mapping[str, np.ndarray] = field(default_factory=dict)
    matrix: np.ndarray | None = None
    base: np.ndarray | None = None

    def natural(self, delta: np.ndarray | None, sigma: float) -> tuple[Numbers, Numbers]:
        """Sigmas by stratum and the numbers of the residuals, by name."""
        residual = self.model.residual
        if residual is None or delta is None:
            return {"": sigma}, {}
        ratios, values, _ = residual.natural(delta)
        names = [p.name for p in residual.parameters]
        labels = [""] if residual.strata is None else list(residual.strata.labels)
        return (
            dict(zip(labels, sigma * ratios[0], strict=True)),
            dict(zip(names, values[0].tolist(), strict=True)),
        )

    def R(self, delta: np.ndarray | None, sigma: float) -> np.ndarray:
        sigmas, par = self.natural(delta, sigma)
        assert self.base is not None
        if self.matrix is not None:
            return self.matrix * sigma**2 * np.outer(self.base, self.base)
        case = self.case or Residuals("")
        return covariance_of_rows(self.frame, case, sigmas, par, self.base)

    def dense(self, at: Variances) -> Dense:
        """The textbook at the first point: V = Z G Z' + R."""
        model, used = self.model, self.model.used
        design = model.design
        columns, covs = [np.empty((design.n, 0))], [np.empty((0, 0))]
        for block, cov in zip(design.blocks, at.covariances, strict=True):
            Z = np.zeros((design.n, block.n_levels, block.n_coefs))
            Z[np.arange(design.n), block.codes] = block.values
            columns.append(Z.reshape(design.n, -1))
            A = self.kin.get(block.group, np.eye(block.n_levels))
            covs.append(np.kron(A, cov[0]))
        R = self.R(at.delta, float(at.sigma[0]))
        return Dense(
            design.X[used][:, list(model.columns)],
            np.column_stack(columns)[used],
            (design.y - design.rows.offset)[used],
            linalg.block_diag(*covs),
            R,
        )

    def covariance_of_effects(self, index: int, sd: np.ndarray, values: np.ndarray) -> np.ndarray:
        """A patterned term's covariance, entry by entry, from its natural numbers."""
        term = self.model.terms[index]
        assert isinstance(term.structure, Patterned)
        par = {p.name: float(v) for p, v in zip(term.structure.parameters, values, strict=True)}
        place: list[Any] = []
        for coef in term.coefs:
            inside = coef.partition("[")[2].removesuffix("]") or coef
            numeric = term.structure.pattern.places != "any"
            place.append(tuple(map(float, inside.split(","))) if numeric else inside)
        k = len(place)
        out = np.diag(sd**2)
        for i in range(k):
            for j in range(i):
                value = correlation(term.structure.name, par, place[i], place[j], place)
                out[i, j] = out[j, i] = value * sd[i] * sd[j]
        return out


def setting_of(
    formula: str,
    frame: pd.DataFrame,
    extra: str = "plain",
    case: Residuals | None = None,
    residual: Any = None,
    kin: Mapping[str, tuple[Any, np.ndarray]] | None = None,
    **settings: Any,
) -> Setting:
    """A model, with what the textbook needs. `kin`: what is given, and the dense covariance of
    the factor's levels in the factor's order."""
    frame = frame.copy()
    if extra == "missing":
        frame.loc[[3, 17], "y"] = np.nan
        frame.loc[[5, 20], "x"] = np.nan
    text = case.text if case is not None else residual
    given = {group: what for group, (what, _) in (kin or {}).items()}
    model = quietly(
        formula, frame, residual=text, relationship=given or None, **EXTRAS[extra], **settings
    )
    complete = frame.notna().all(axis=1).to_numpy()
    rows = frame[complete]
    rows = rows.assign(rank=rows.groupby("g").cumcount(), row=np.arange(len(rows)))
    used = model.used
    base = np.ones(len(rows))
    if extra == "weights":
        base = 1 / np.sqrt(rows["w"].where(rows["w"] > 0, 1.0).to_numpy())
    if extra == "known sd":
        base = rows["s"].to_numpy()
    matrix = None
    if residual is not None and not isinstance(residual, str):
        matrix = np.asarray(residual)[np.ix_(complete, complete)][np.ix_(used, used)]
    out = Setting(
        model, rows[used], case, {g: dense for g, (_, dense) in (kin or {}).items()}, matrix
    )
    return replace(out, base=base[used])


def positive(size: int, seed: int) -> np.ndarray:
    """A random covariance with some zeros."""
    rng = np.random.default_rng(seed)
    root = np.eye(size) + 0.5 * np.tril(
        rng.normal(size=(size, size)) * (rng.random((size, size)) < 0.3), -1
    )
    return root @ root.T * 1.3


LEVELS = [f"g{i}" for i in (3, 0, 12, 1, 8, 2, 10, 4, 5, 11, 7, 6, 9)]  # 9-12 have no rows


def relationships(A: np.ndarray, levels: list[str]) -> dict[str, Any]:
    """One known covariance in every form that is taken."""
    order = np.random.default_rng(3).permutation(len(levels))
    shuffled = pd.DataFrame(A, levels, levels).iloc[order, order]
    inverse = np.linalg.inv(A)
    inverse[np.abs(inverse) < 1e-12] = 0.0
    inverse = 0.5 * (inverse + inverse.T)
    return {
        "dense": relationship(A, levels),
        "frame": shuffled,
        "sparse": relationship(sparse.csr_array(A), levels),
        "dense precision": relationship(inverse, levels, kind="precision"),
        "sparse precision": relationship(sparse.csc_matrix(inverse), levels, kind="precision"),
    }
