"""Which posteriors exist: what `exact` and `nuts` refuse alike."""

from __future__ import annotations

from bayeslmm.model import Model

LEAST_LEVELS = 3  # a flat prior on a standard deviation needs as many (Gelman, 2006, sec. 2.2)


def improper(model: Model) -> str | None:
    """Why the posterior has no finite mass, in words; None where nothing is known against it."""
    flat = {key for key, prior in model.priors.items() if not prior.is_proper()}
    for finding in model.findings:
        involved = [
            key
            for key in model.priors
            if key.startswith("sigma")
            or any(key.startswith(f"sd_{group}[") for group in finding.groups)
        ]
        bad = [key for key in involved if key in flat]
        if finding.fatal and finding.groups and bad:
            return f"{finding.text} The prior of {bad[0]} is flat: give it a proper one."
    for block in model.design.blocks:
        bad = [key for key in flat if key.startswith(f"sd_{block.group}[")]
        if bad and block.n_levels < LEAST_LEVELS:
            return (
                f"With {block.n_levels} levels of {block.group!r} a flat prior on {bad[0]} leaves "
                f"the posterior improper: it needs {LEAST_LEVELS}. Give a proper prior."
            )
    return None
