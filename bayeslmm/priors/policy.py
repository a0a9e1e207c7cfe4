"""Which prior stands for what: the user's keys over the auto-scaled defaults.

Keys, the most specific first: ``beta[Days]`` over ``beta``; ``Intercept`` or
``Intercept_centred`` over ``beta``; ``sd_Subject[Days]`` over ``sd_Subject`` over ``sd``;
``cor_Subject`` over ``cor``; ``sigma``. ``sigma^2`` and ``sd_…^2`` put the density on the
variance. Joint densities stand for what they cover: under ``beta`` for all slopes, and under ``sd``
`variance_shares` for all standard deviations, ``sigma`` included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from bayeslmm.errors import PriorError, nearest, shorter
from bayeslmm.priors.base import Prior, tidy
from bayeslmm.priors.flat import Flat
from bayeslmm.priors.half_cauchy import HalfCauchy
from bayeslmm.priors.half_normal import HalfNormal
from bayeslmm.priors.half_student_t import HalfStudentT
from bayeslmm.priors.joint import JointPrior
from bayeslmm.priors.lkj import LKJ
from bayeslmm.priors.normal import Normal
from bayeslmm.priors.on_variance import OnVariance
from bayeslmm.priors.registry import parse_prior
from bayeslmm.priors.variance_shares import VarianceShares

Floats = NDArray[np.float64]
UserPriors = Mapping[str, str | Prior] | str | None


RESIDUAL = "residual"  # what a free correlation of the residuals goes by: cor_residual


@dataclass(frozen=True, slots=True)
class Slot:
    """A parameter with a prior of its own, beside coefficients and random effects.

    Attributes
    ----------
    default : Prior
    lower, upper : float
        Its bounds.
    also : tuple of str
        More general keys that stand for it too.
    """

    default: Prior
    lower: float = 0.0
    upper: float = np.inf
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Slots:
    """What a model has that needs a prior, with the scales of the default policy.

    Attributes
    ----------
    coefs : tuple of str
        Fixed-effects coefficients, ``Intercept`` included where there is one.
    x_scale : ndarray, shape (p,)
        Standard deviation of each fixed column, 1 for a constant one.
    random : dict of str to (tuple of str, ndarray)
        For each grouping factor its coefficients and the scales of their columns.
    correlated : frozenset of str
        The factors with correlations to estimate.
    others : dict of str to Slot
        ``sigma`` and whatever else the response and the effects' distributions have.
    centre : float
        Where the linear predictor is about.
    slope : float
        The linear predictor's change that a default slope's prior has for its sd, over one sd
        of the column; the intercept's too.
    effect : float
        The same for the scale of the effects' standard deviations.
    variances : tuple of (str, float)
        The standard deviations whose squares add up to a total variance, by key, with the
        scales of their columns: the free ones, and ``sigma`` where it is one of them.
    """

    coefs: tuple[str, ...]
    x_scale: Floats
    random: dict[str, tuple[tuple[str, ...], Floats]]
    correlated: frozenset[str]
    others: Mapping[str, Slot]
    centre: float
    slope: float
    effect: float
    variances: tuple[tuple[str, float], ...] = ()


def resolve_priors(user: UserPriors, slots: Slots) -> dict[str, Prior]:
    """Every prior of a model as one flat dict of canonical keys, resolved to numbers.

    Parameters
    ----------
    user : mapping, str or None
        The user's priors; the string ``"flat"`` makes all of beta flat.
    slots : Slots
        What the model has.

    Returns
    -------
    dict of str to Prior
        Keys ``Intercept`` or ``Intercept_centred``, ``beta[coef]``, ``sd_group[coef]``,
        ``cor_group``, ``sigma``; handing it back as `user` gives the same dict.

    Raises
    ------
    PriorError
        A key that stands for nothing in this model, or a density of the wrong support.
    """
    given = _parsed(user)
    used: set[str] = set()
    out = _beta(given, slots, used) | _random(given, slots, used)
    shared = {key for key, _ in slots.variances} if "sd" in out else set()
    for key, slot in slots.others.items():
        if key in shared:
            continue
        out[key] = _take(given, (key, *slot.also), slot.default, slot.lower, used, slot.upper)
    _refuse_unused(given, used, slots, out)
    return out


def _parsed(user: UserPriors) -> dict[str, Prior]:
    if user is None:
        return {}
    if isinstance(user, str):
        if user.strip() != "flat":
            raise PriorError(
                "As a single text, priors can only be 'flat' (for all of beta)",
                got=repr(user),
                hint="Otherwise give a dict such as {'beta': 'normal(0, 5)'}",
            )
        return {"beta": Flat()}
    if not isinstance(user, Mapping):
        raise PriorError("Priors are a dict from parameter to density", got=type(user).__name__)
    return {str(key).strip(): parse_prior(value) for key, value in user.items()}


def _beta(given: dict[str, Prior], slots: Slots, used: set[str]) -> dict[str, Prior]:
    out: dict[str, Prior] = {}
    joint = given.get("beta")
    if isinstance(joint, JointPrior):
        return _joint(given, joint, slots, used)
    if "Intercept" in slots.coefs:
        out |= _intercept(given, slots, used)
    for coef, scale in zip(slots.coefs, slots.x_scale, strict=True):
        if coef != "Intercept":
            default = Normal(0.0, tidy(slots.slope / scale))
            out[f"beta[{coef}]"] = _take(given, (f"beta[{coef}]", "beta"), default, -np.inf, used)
    return out


def _joint(
    given: dict[str, Prior], joint: JointPrior, slots: Slots, used: set[str]
) -> dict[str, Prior]:
    """One prior for all slopes; the intercept has its own."""
    slopes = [coef for coef in slots.coefs if coef != "Intercept"]
    if not slopes:
        raise PriorError(f"Prior {joint.name!r} is over slopes, and the model has none")
    single = [f"beta[{coef}]" for coef in slopes if f"beta[{coef}]" in given]
    if single:
        raise PriorError(
            f"{single[0]!r} has a prior of its own beside {joint.name!r} over all slopes",
            hint="Give one of them",
        )
    used.add("beta")
    rest = {key: prior for key, prior in given.items() if key != "beta"}
    own = _intercept(rest, slots, used) if "Intercept" in slots.coefs else {}
    return own | {"beta": joint}


def _intercept(given: dict[str, Prior], slots: Slots, used: set[str]) -> dict[str, Prior]:
    plain = [key for key in ("Intercept", "beta[Intercept]") if key in given]
    centred = "Intercept_centred" in given
    if len(plain) + centred > 1:
        both = [*plain, *(["Intercept_centred"] if centred else [])]
        raise PriorError("The intercept has two priors", got=", ".join(both))
    if plain or ("beta" in given and not centred):
        return {"Intercept": _take(given, (*plain, "beta"), None, -np.inf, used)}
    default = Normal(tidy(slots.centre), tidy(slots.slope))
    return {"Intercept_centred": _take(given, ("Intercept_centred",), default, -np.inf, used)}


def _random(given: dict[str, Prior], slots: Slots, used: set[str]) -> dict[str, Prior]:
    out: dict[str, Prior] = {}
    whole = given.get("sd")
    if isinstance(whole, VarianceShares):
        out["sd"] = _shares(given, whole, slots, used)
    for group in slots.random:
        if "sd" not in out:
            out |= _own_sds(given, group, slots, used)
        if group in slots.correlated:
            out[f"cor_{group}"] = _correlation(given, group, used)
    if RESIDUAL in slots.correlated and RESIDUAL not in slots.random:
        out[f"cor_{RESIDUAL}"] = _correlation(given, RESIDUAL, used)
    return out


def _own_sds(given: dict[str, Prior], group: str, slots: Slots, used: set[str]) -> dict[str, Prior]:
    out = {}
    for coef, scale in zip(*slots.random[group], strict=True):
        keys = (f"sd_{group}[{coef}]", f"sd_{group}", "sd")
        default = HalfStudentT(3.0, 0.0, tidy(slots.effect / scale))
        out[keys[0]] = _take(given, keys, default, 0.0, used)
    return out


def _shares(
    given: dict[str, Prior], whole: VarianceShares, slots: Slots, used: set[str]
) -> VarianceShares:
    """One prior for all standard deviations, its numbers filled in."""
    if any(key.startswith("sigma[") for key in slots.others):
        raise PriorError(
            f"Prior {whole.name!r} shares out one total variance, and here sigma, and so the "
            "total, differs by stratum",
            hint="Give 'sd' and 'sigma' priors of their own",
        )
    if not slots.variances:
        raise PriorError(
            f"Prior {whole.name!r} is over standard deviations, and the model has none"
        )
    kinds = {"sd^2", *(key.partition("[")[0] for key, _ in slots.variances)}
    single = [key for key in given if {key, _kind(key)} & kinds]
    if single:
        raise PriorError(
            f"{single[0]!r} has a prior of its own beside {whole.name!r} over all standard "
            "deviations",
            hint="Give one of them",
        )
    used.add("sd")
    components = {key: tidy(scale) for key, scale in slots.variances}
    return whole.over(components, tidy(slots.effect))


def _kind(key: str) -> str:
    return key.removesuffix("^2").partition("[")[0]


def _correlation(given: dict[str, Prior], group: str, used: set[str]) -> Prior:
    for key in (f"cor_{group}", "cor"):
        if key in given:
            used.update(k for k in (f"cor_{group}", "cor") if k in given)
            if given[key].support != "correlation":
                raise PriorError(
                    f"Prior {key!r} is over correlations", got=str(given[key]), allowed="lkj(eta)"
                )
            return given[key]
    return LKJ(1.0)


def _take(
    given: dict[str, Prior],
    keys: tuple[str, ...],
    default: Prior | None,
    lower: float,
    used: set[str],
    upper: float = np.inf,
) -> Prior:
    """The prior of the most specific key that was given, on the variance for ``key^2``."""
    found: Prior | None = None
    for key in keys:
        if lower == 0.0 and f"{key}^2" in given:
            used.add(f"{key}^2")
            if key in given:
                raise PriorError(
                    f"Both {key!r} and {key + '^2'!r} have a prior", hint="Give one of them"
                )
            found = found or _on_variance(given[f"{key}^2"], f"{key}^2")
        elif key in given:
            used.add(key)
            found = found or _supported(given[key], key, lower, upper)
    if found is None:
        assert default is not None
        return default
    return found


def _on_variance(prior: Prior, key: str) -> Prior:
    return prior if isinstance(prior, OnVariance) else OnVariance(_supported(prior, key, 0.0))


def _supported(prior: Prior, key: str, lower: float, upper: float = np.inf) -> Prior:
    if isinstance(prior, JointPrior):
        raise PriorError(
            f"Prior {prior.name!r} is over all slopes, and {key!r} isn't", allowed="beta"
        )
    if isinstance(prior, VarianceShares):
        raise PriorError(
            f"Prior {prior.name!r} is over all standard deviations, and {key!r} isn't",
            allowed="sd",
        )
    if np.isfinite(upper) and not prior.within(lower, upper):
        raise PriorError(
            f"Prior {key!r} is over numbers between {lower:g} and {upper:g}, and the support of "
            f"{prior.name} is not within",
            got=str(prior),
            allowed="beta, uniform, flat",
        )
    if np.isfinite(lower) and not prior.allows(lower):
        raise PriorError(
            f"Prior {key!r} is over a positive number, and the support of {prior.name} is not",
            got=str(prior),
            allowed="half_normal, half_student_t, half_cauchy, exponential, gamma, inverse_gamma, "
            "lognormal, uniform, flat",
            hint=_half_of(prior),
        )
    if np.isneginf(lower) and prior.support in ("positive", "correlation"):
        raise PriorError(
            f"Prior {key!r} is over a number of any sign; the support of {prior.name} is not",
            got=str(prior),
            allowed="normal, student_t, cauchy, uniform, flat",
        )
    return prior


_HALVES = {"normal": HalfNormal, "student_t": HalfStudentT, "cauchy": HalfCauchy}


def _half_of(prior: Prior) -> str | None:
    """The half of a symmetric density about 0: what brms makes of it for a positive number."""
    half = _HALVES.get(prior.name)
    if half is None or getattr(prior, "mu", None) != 0:
        return None
    values = {field.name: getattr(prior, field.name) for field in fields(half)}
    return f"Write {half(**values)}"


def _refuse_unused(
    given: dict[str, Prior], used: set[str], slots: Slots, out: dict[str, Prior]
) -> None:
    general = (
        {"beta"} if any(key.startswith("beta[") for key in out) or "Intercept" in out else set()
    )
    if slots.random:
        general |= {"sd", "cor", "sd^2"}
    for slot in slots.others.values():
        general |= {*slot.also, *(f"{key}^2" for key in slot.also if slot.lower == 0.0)}
    if not any(key.partition("[")[0] == "sigma" for key in slots.others) and (
        {"sigma", "sigma^2"} & given.keys()
    ):
        raise PriorError(
            "There is no sigma to give a prior to: the residual sd is known, or there is none"
        )
    for key in given:
        if key in used or key in general:
            continue
        names = [c for c in slots.coefs if c == "Intercept"] + [f"sd_{g}" for g in slots.random]
        known = list(dict.fromkeys([*out, *sorted(general), *names]))
        raise PriorError(
            f"This model has no parameter {shorter(key, 80)!r}",
            hint=_key_elsewhere(key, known) or nearest(key, known, "prior key"),
        )


def _key_elsewhere(key: str, known: Sequence[str]) -> str | None:
    """The key here of a coefficient or a term as Bambi (``x``, ``x|g``) and brms (``b_x``,
    ``sd_g__x``) name them."""
    coef, bar, group = (part.strip() for part in key.partition("|"))
    where, _, inside = key.partition("__")
    candidates = [
        f"sd_{group}[{'Intercept' if coef == '1' else coef}]" if bar else f"beta[{key}]",
        f"beta[{key.removeprefix('b_').removeprefix('beta_')}]",
        f"{where}[{inside}]",
        f"sd_{key}",
    ]
    found = next((name for name in candidates if name in known), None)
    return None if found is None else f"Did you mean {found!r}?"
