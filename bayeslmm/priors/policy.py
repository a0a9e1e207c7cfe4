"""The prior of every parameter: the user's keys over the auto-scaled defaults.

Keys, the most specific first: ``beta[Days]`` over ``beta``; ``Intercept`` or
``Intercept_centred`` over ``beta``; ``sd_Subject[Days]`` over ``sd_Subject`` over ``sd``;
``cor_Subject`` over ``cor``; ``sigma``. ``sigma^2`` and ``sd_…^2`` put the density on the
variance. Joint densities cover several parameters: under ``beta`` all slopes, and under ``sd``
`variance_shares` all standard deviations, ``sigma`` included.

Defaults are on the coefficients of the design whose numeric variables are centred at their means,
and on the covariance of each term's effects there. Where such a coefficient differs from the
user's, its key ends in ``_centred``: ``beta[x]_centred``, ``sd_Subject[Intercept]_centred``,
``cor_Subject_centred``. A user's prior under a plain key is on the coefficient as the user
sees it; one on a term's covariance takes the whole term there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bayeslmm.errors import PriorError, nearest, shorter
from bayeslmm.priors.base import Prior, tidy
from bayeslmm.priors.flat import Flat
from bayeslmm.priors.given import take
from bayeslmm.priors.half_student_t import HalfStudentT
from bayeslmm.priors.joint import JointPrior
from bayeslmm.priors.lkj import LKJ
from bayeslmm.priors.normal import Normal
from bayeslmm.priors.registry import parse_prior
from bayeslmm.priors.slots import CENTRED, RESIDUAL, Slots, TermSlot
from bayeslmm.priors.variance_shares import VarianceShares

Floats = NDArray[np.float64]
UserPriors = Mapping[str, str | Prior] | str | None


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
        ``cor_group``, ``sigma``, with ``_centred`` at the end where the coefficient at the centre
        is another; handing it back as `user` gives the same dict.

    Raises
    ------
    PriorError
        A key is no parameter of this model, or a density has the wrong support.
    """
    given = _parsed(user)
    used: set[str] = set()
    out = _beta(given, slots, used) | _random(given, slots, used)
    for key, slot in slots.others.items():
        if key == "sigma" and slots.shares_sigma and "sd" in out:
            continue
        out[key] = take(given, (key, *slot.also), slot.default, slot.lower, used, slot.upper)
    _refuse_unused(given, used, slots, out)
    return out


def _parsed(user: UserPriors) -> dict[str, Prior]:
    if user is None:
        return {}
    if isinstance(user, str):
        if user.strip() != "flat":
            raise PriorError(
                "A single text for priors= can only be 'flat' (for all of beta)",
                got=repr(user),
                hint="Otherwise give a dict such as {'beta': 'normal(0, 5)'}",
            )
        return {"beta": Flat()}
    if not isinstance(user, Mapping):
        raise PriorError(
            "priors= must be a dict from parameter to density",
            got=type(user).__name__,
            hint="Write for example priors={'beta': 'normal(0, 5)'}",
        )
    return {str(key).strip(): parse_prior(value) for key, value in user.items()}


def _beta(given: dict[str, Prior], slots: Slots, used: set[str]) -> dict[str, Prior]:
    out: dict[str, Prior] = {}
    joint = given.get("beta")
    if isinstance(joint, JointPrior):
        return _joint(given, joint, slots, used)
    if "Intercept" in slots.coefs:
        out |= _intercept(given, slots, used)
    for coef, scale, moved in zip(slots.coefs, slots.x_scale, slots.moved, strict=True):
        if coef != "Intercept":
            default = Normal(0.0, tidy(slots.slope / scale))
            key, keys = _slope_keys(given, coef, moved)
            out[key] = take(given, keys, default, -np.inf, used)
    return out


def _slope_keys(given: dict[str, Prior], coef: str, moved: bool) -> tuple[str, tuple[str, ...]]:
    """The key of a coefficient's prior, and the keys that it may be given under."""
    plain, centred = f"beta[{coef}]", f"beta[{coef}]{CENTRED}"
    if plain in given and centred in given:
        raise PriorError(
            f"The coefficient {coef!r} has two priors", got=f"{plain}, {centred}", hint="Give one"
        )
    if not moved:
        return plain, (plain, centred, "beta")
    users = plain in given or ("beta" in given and centred not in given)
    return (plain, (plain, "beta")) if users else (centred, (centred, "beta"))


def _joint(
    given: dict[str, Prior], joint: JointPrior, slots: Slots, used: set[str]
) -> dict[str, Prior]:
    """One prior for all slopes; the intercept has its own."""
    slopes = [coef for coef in slots.coefs if coef != "Intercept"]
    if not slopes:
        raise PriorError(f"Prior {joint.name!r} is a joint prior of slopes, and the model has none")
    single = [f"beta[{coef}]" for coef in slopes if f"beta[{coef}]" in given]
    if single:
        raise PriorError(
            f"{single[0]!r} has a separate prior in addition to {joint.name!r} for all slopes",
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
        return {"Intercept": take(given, (*plain, "beta"), None, -np.inf, used)}
    default = Normal(tidy(slots.centre), tidy(slots.slope))
    return {"Intercept_centred": take(given, ("Intercept_centred",), default, -np.inf, used)}


def _random(given: dict[str, Prior], slots: Slots, used: set[str]) -> dict[str, Prior]:
    out: dict[str, Prior] = {}
    whole = given.get("sd")
    if isinstance(whole, VarianceShares):
        out["sd"] = _shares(given, whole, slots, used)
    for group, terms in slots.random.items():
        correlations: dict[str, Prior] = {}
        for term in terms:
            at_centre = _at_centre(given, group, term)
            if "sd" not in out:
                out |= _own_sds(given, group, term, at_centre, slots.effect, used)
            if term.correlated:
                suffix = CENTRED if at_centre else ""
                moves = term.T is not None
                correlations[f"cor_{group}{suffix}"] = _correlation(
                    given, group, at_centre, moves, used
                )
        out |= correlations
    if slots.residual_correlated and RESIDUAL not in slots.random:
        out[f"cor_{RESIDUAL}"] = _correlation(given, RESIDUAL, False, False, used)
    return out


def _at_centre(given: Mapping[str, Prior], group: str, term: TermSlot) -> bool:
    """Whether a term's priors are at the centre of its covariates: unless one is given on what
    centring changes."""
    if term.T is None:
        return False
    changed = [f"sd_{group}[{c}]" for c, moved in zip(term.coefs, term.moved, strict=True) if moved]
    whole = [] if isinstance(given.get("sd"), VarianceShares) else ["sd", "sd^2"]
    sds = [f"{key}{end}" for key in (*changed, f"sd_{group}") for end in ("", "^2")]
    plain = [key for key in (*sds, f"cor_{group}", "cor", *whole) if key in given]
    centred = [f"{key}{CENTRED}{end}" for key in changed for end in ("", "^2")]
    centred = [key for key in (*centred, f"cor_{group}{CENTRED}") if key in given]
    specific = [key for key in plain if key not in ("sd", "sd^2", "cor")]
    if centred and specific:
        raise PriorError(
            f"The effects of {group!r} have priors at the centre of their covariates and at the "
            "origin",
            got=f"{centred[0]}, {specific[0]}",
            hint=f"Give all with {CENTRED!r}, or none",
        )
    return bool(centred) or not plain


def _sd_key(group: str, term: TermSlot, place: int, at_centre: bool) -> str:
    moved = at_centre and term.moved[place]
    return f"sd_{group}[{term.coefs[place]}]{CENTRED if moved else ''}"


def _own_sds(
    given: dict[str, Prior],
    group: str,
    term: TermSlot,
    at_centre: bool,
    effect: float,
    used: set[str],
) -> dict[str, Prior]:
    out = {}
    reach = term.reach(effect)
    if at_centre and term.centred_scale is not None:
        reach = effect / term.centred_scale
    for i, coef in enumerate(term.coefs):
        key = _sd_key(group, term, i, at_centre)
        keys: tuple[str, ...] = (key, f"sd_{group}", "sd")
        if term.T is None or not term.moved[i]:
            keys = (key, f"{key}{CENTRED}", f"sd_{group}", "sd")
            _refuse_both(given, coef, keys[:2])
        out[key] = take(given, keys, HalfStudentT(3.0, 0.0, tidy(float(reach[i]))), 0.0, used)
    return out


def _refuse_both(given: Mapping[str, Prior], coef: str, keys: tuple[str, ...]) -> None:
    found = [key for key in keys if key in given or f"{key}^2" in given]
    if len(found) > 1:
        text = f"The standard deviation of {coef!r} has two priors"
        raise PriorError(text, got=", ".join(found), hint="Give one")


def _shares(
    given: dict[str, Prior], whole: VarianceShares, slots: Slots, used: set[str]
) -> VarianceShares:
    """One prior for all standard deviations, its numbers filled in."""
    if any(key.startswith("sigma[") for key in slots.others):
        raise PriorError(
            f"Prior {whole.name!r} divides one total variance into shares, and here sigma, and so "
            "the total, differs by stratum",
            hint="Give 'sd' and 'sigma' separate priors",
        )
    components = _components(given, slots)
    if not components:
        raise PriorError(
            f"Prior {whole.name!r} is over standard deviations, and the model has none"
        )
    kinds = {"sd^2", *(key.partition("[")[0] for key in components)}
    single = [key for key in given if {key, _kind(key)} & kinds]
    if single:
        raise PriorError(
            f"{single[0]!r} has a separate prior in addition to {whole.name!r} for all standard "
            "deviations",
            hint="Give one of them",
        )
    used.add("sd")
    return whole.over(components, tidy(slots.effect))


def _components(given: Mapping[str, Prior], slots: Slots) -> dict[str, float]:
    """The standard deviations whose squares add up to a total variance, with their units."""
    out: dict[str, float] = {}
    for group, terms in slots.random.items():
        for term in terms:
            at_centre = _at_centre(given, group, term)
            scale = term.centred_scale if at_centre else term.scale
            assert scale is not None
            for i in range(len(term.coefs)):
                out[_sd_key(group, term, i, at_centre)] = tidy(float(scale[i]))
    if slots.shares_sigma:
        out["sigma"] = 1.0
    return out


def _kind(key: str) -> str:
    return key.removesuffix("^2").partition("[")[0]


def _correlation(
    given: dict[str, Prior], group: str, at_centre: bool, moves: bool, used: set[str]
) -> Prior:
    plain, centred = f"cor_{group}", f"cor_{group}{CENTRED}"
    if not moves and plain in given and centred in given:
        raise PriorError(
            f"The correlations of {group!r} have two priors", got=f"{plain}, {centred}"
        )
    own = (centred,) if at_centre else (plain,) if moves else (plain, centred)
    keys = (*own, "cor")
    for key in keys:
        if key in given:
            used.update(k for k in keys if k in given)
            if given[key].support != "correlation":
                raise PriorError(
                    f"Prior {key!r} is of correlations",
                    got=str(given[key]),
                    allowed="lkj(eta)",
                )
            return given[key]
    return LKJ(1.0)


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
            "This model has no parameter sigma: the residual standard deviation is known, or the "
            "family has none"
        )
    for key in given:
        if key in used or key in general:
            continue
        names = [c for c in slots.coefs if c == "Intercept"] + [f"sd_{g}" for g in slots.random]
        plain = [k.removesuffix(CENTRED) for k in out if k.endswith(f"]{CENTRED}")]
        known = list(dict.fromkeys([*out, *plain, *sorted(general), *names]))
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
