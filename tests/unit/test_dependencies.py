"""Each dependency used once, from a table to a file: what runs on the oldest versions allowed."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import polars as pl
import pytest

import bayeslmm as bl


def test_a_fit_is_sampled_saved_read_and_drawn(tmp_path: Path) -> None:
    import arviz as az

    mpl.use("agg")
    model = bl.load_model("sleepstudy")
    reml = model.fit("reml")
    exact = model.fit("exact", seed=1, draws=50, chains=2)
    reml.save(tmp_path / "fit.nc")
    loaded = bl.load_fit(tmp_path / "fit.nc")
    assert loaded.fixef().loc["Days", "estimate"] == pytest.approx(10.467286, abs=1e-5)
    assert len(az.summary(exact.tree))
    bl.plot_shrinkage(model, {"reml": reml})
    bl.plot_fitted(model, {"reml": reml})
    bl.plot_ranef(exact)
    mpl.pyplot.close("all")
    assert model.to_pymc().free_RVs


@pytest.mark.parametrize("kind", ["polars", "arrow", "columns"])
def test_every_kind_of_table(kind: str) -> None:
    rng = np.random.default_rng(0)
    table = pl.DataFrame(
        {
            "y": rng.normal(size=24),
            "g": [str(i // 4) for i in range(24)],
            "f": pl.Series(["b", "a", "c"] * 8, dtype=pl.Enum(["b", "a", "c"])),
        }
    )
    made = {
        "polars": table,
        "arrow": table.cast({"f": pl.String}).to_arrow(),
        "columns": table.to_dict(as_series=True),
    }
    model = bl.Model("y ~ f + (1 | g)", made[kind])
    others = "bc" if kind == "arrow" else "ac"  # text is in order of the alphabet
    assert model.resolved.design.coefs == ("Intercept", *(f"f[{level}]" for level in others))
