"""Printed models and fits: text for a terminal, HTML for a notebook."""

from __future__ import annotations

import html
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayeslmm.engines import availability
from bayeslmm.fit import FitValues, fixef, varcorr
from bayeslmm.fit.levels import LEVEL, percent
from bayeslmm.model import Model
from bayeslmm.model.centres import prior_centres

CAPTIONS = {
    "ml": "Maximum likelihood",
    "reml": "Restricted maximum likelihood (REML)",
    "anova": "Method of moments (ANOVA, Henderson's method 3)",
    "conjugate": "Closed-form posterior at given variances",
    "exact": "Exact posterior (no Markov chain)",
    "nuts": "Posterior by NUTS",
}
BAYESIAN = frozenset({"exact", "nuts", "conjugate"})


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with a table, or with lines."""

    title: str
    table: pd.DataFrame | None = None
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """Titled sections with a text and an HTML representation."""

    title: str
    sections: tuple[Section, ...]

    def __str__(self) -> str:
        parts = [self.title, "=" * len(self.title)]
        for section in self.sections:
            parts += ["", section.title]
            if section.table is not None:
                parts.append(_indent(format_table(section.table).to_string()))
            parts += [f"  {line}" for line in section.lines]
        return "\n".join(parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        parts = [f"<h4>{html.escape(self.title)}</h4>"]
        for section in self.sections:
            parts.append(f"<p><b>{html.escape(section.title)}</b></p>")
            if section.table is not None:
                parts.append(format_table(section.table).to_html(border=0))
            if section.lines:
                items = "".join(f"<li>{html.escape(line)}</li>" for line in section.lines)
                parts.append(f"<ul>{items}</ul>")
        return "".join(parts)


def model_text(model: Model) -> str:
    return str(_model_summary(model))


def model_html(model: Model) -> str:
    return _model_summary(model)._repr_html_()


def _model_summary(model: Model) -> Summary:
    design = model.design
    sections = [
        Section("Size", lines=_sizes(model)),
        Section("Priors", table=_prior_table(model), lines=prior_centres(model)),
    ]
    if model.findings:
        sections.append(Section("Findings", lines=tuple(f.text for f in model.findings)))
    said = tuple(n for n in model.notes if n not in {f.text for f in model.findings})
    if said:
        sections.append(Section("Notes", lines=said))
    sections.append(Section("Methods", lines=_methods(model)))
    return Summary(f"Model: {design.formula}", tuple(sections))


def _sizes(model: Model) -> tuple[str, ...]:
    design = model.design
    fixed = f"{design.p} fixed coefficient" + ("" if design.p == 1 else "s")
    lines = [f"{model.n} rows, {fixed}: {', '.join(design.coefs) or 'none'}"]
    for block in design.blocks:
        kinds = "; ".join(
            f"{', '.join(t.coefs)}{_structure(t.structure.name, len(t.coefs))}"
            for t in model.terms
            if t.group == block.group
        )
        lines.append(
            f"{block.group}: {block.n_levels} levels ({_some(block.levels)}), effects: {kinds}"
        )
    extras = [f"{k}" for k in design.extras]
    family = f"{model.family.name} response, {model.link.name} link"
    lines.append(family + (f", with {', '.join(extras)}" if extras else ""))
    lines += [f"effects of {group}: {kind}" for group, kind in model.random.items()]
    lines += [f"{group}: a known relationship of {k.size} levels" for group, k in model.kin.items()]
    if model.residual is not None:
        text = f"residuals: {model.spec.residual or 'a given covariance, up to sigma²'}"
        correlated = model.residual.correlated
        lines.append(text if correlated is None else f"{text}; {correlated.described}")
    lines += [f"{name}: {sub.link.name} link, {text}" for name, sub, text in _further(model)]
    return tuple(lines)


def _further(model: Model) -> list[tuple[str, Model, str]]:
    return [(name, sub, model.spec.dpar[name]) for name, sub in model.dpars.items()]


def _structure(name: str, k: int) -> str:
    if k == 1:
        return ""
    known = {"us": "correlated", "diag": "uncorrelated", "id": "one variance"}
    return f" ({known.get(name, name)})"


def _some(levels: object, most: int = 4) -> str:
    items = [str(v) for v in np.asarray(levels)]
    return ", ".join(items) if len(items) <= most else f"{', '.join(items[:most])}, …"


def _prior_table(model: Model) -> pd.DataFrame:
    texts = model.describe()["priors"]
    return pd.DataFrame(
        {"prior": list(texts.values())}, index=pd.Index(list(texts), name="parameter")
    )


def _methods(model: Model) -> tuple[str, ...]:
    able, reasons = availability(model)
    return (f"available: {', '.join(able) or 'none'}", *reasons)


def summarise(model: Model, values: FitValues, level: float = LEVEL) -> Summary:
    """The summary of a fit: formula, fixed effects, variances, criteria, notes."""
    interval = "equal-tailed" if values.method in BAYESIAN else _interval(values)
    mean = "posterior mean and sd" if values.method in BAYESIAN else "estimate and standard error"
    sections = [
        Section("Formula", lines=(str(model.design.formula), *_sizes(model))),
        Section(
            f"Fixed effects ({mean}; {percent(level)} {interval} interval)",
            fixef(model, values.tree, level),
        ),
    ]
    variances = _varcorr_table(model, values, level)
    if len(variances):
        sections.append(Section("Standard deviations and correlations", variances))
    lines = _criteria(values.scalars)
    if lines:
        title = "Quality" if values.method in ("exact", "nuts") else "Criteria"
        sections.append(Section(title, lines=lines))
    if values.notes:
        sections.append(Section("Notes", lines=values.notes))
    return Summary(_caption(values), tuple(sections))


def _interval(values: FitValues) -> str:
    dof = values.tree["estimate"].dataset.attrs.get("residual_dof")
    return "Wald" if dof is None else f"t({dof:g})"


def _caption(values: FitValues) -> str:
    if values.method == "exact" and "max_rhat" in values.scalars:
        return "Exact posterior of (beta, u); variance parameters sampled by NUTS"
    return CAPTIONS.get(values.method, values.method)


def _varcorr_table(model: Model, values: FitValues, level: float) -> pd.DataFrame:
    table = varcorr(model, values.tree, level)
    what = np.where(table["kind"] == "cor", table["coef"] + ", " + table["coef2"], table["coef"])
    out = table.drop(columns=["coef", "coef2"]).assign(coef=what)
    return out.set_index(["group", "kind", "coef"])


def _criteria(scalars: dict[str, float]) -> tuple[str, ...]:
    out = []
    if "loglik" in scalars:
        numbers = ", ".join(f"{k} {scalars[k]:.2f}" for k in ("loglik", "deviance", "aic", "bic"))
        out.append(f"{numbers}; {scalars['n_parameters']:.0f} parameters")
        state = "converged" if scalars["converged"] else "NOT converged"
        out.append(state + (", singular (on the boundary)" if scalars["singular"] else ""))
    if "pareto_k" in scalars:
        out.append(
            f"Pareto k-hat {scalars['pareto_k']:.2f} (aim: below 0.7), importance efficiency "
            f"{scalars['efficiency']:.2f}, effective sample size {scalars['importance_ess']:.0f}"
        )
    if "log_evidence" in scalars:
        error = scalars["log_evidence_error"]
        out.append(f"log evidence {scalars['log_evidence']:.3f} ± {error:.3f} (Monte Carlo)")
    if "max_rhat" in scalars:
        out.append(
            f"{scalars['divergences']:.0f} divergences, largest R-hat {scalars['max_rhat']:.3f} "
            "(aim: below 1.01)"
        )
    return tuple(out)


def format_table(table: pd.DataFrame) -> pd.DataFrame:
    """Numbers as text, each row to three digits of its standard error; what was given, so."""
    if "std_error" not in table:
        return table.map(str)
    rows = []
    for row, spread in zip(table.to_numpy(), table["std_error"], strict=True):
        if spread == 0:
            rows.append([format_number(float(row[0])), "given", "", ""])
        else:
            rows.append([format_number(float(value), float(spread)) for value in row])
    return pd.DataFrame(rows, index=table.index, columns=table.columns)


def format_number(value: float, spread: float = np.nan) -> str:
    """A number as in printed tables: to three digits of `spread`, else to four digits."""
    if not np.isfinite(value):
        return "–" if np.isnan(value) else str(value)
    if np.isfinite(spread) and spread > 0:
        decimals = 2 - int(np.floor(np.log10(spread)))
    else:
        decimals = 3 - int(np.floor(np.log10(abs(value)))) if value else 1
    if decimals > 7 or abs(value) >= 1e7:
        return f"{value:.3e}"
    return f"{value:.{max(decimals, 0)}f}"


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.split("\n"))
