"""Tables of several levels that the gallery doesn't hold."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

DATA = Path(__file__).parents[1] / "reference" / "data"


@cache
def oats() -> pd.DataFrame:
    """Yates' split-plot trial: six blocks, three varieties in each, four amounts of nitrogen."""
    return pd.read_csv(DATA / "Oats.csv")


@cache
def instructors() -> pd.DataFrame:
    """InstEval's ratings of lecturers by students, of every tenth lecturer and eleventh student."""
    ratings = pd.read_csv(DATA / "InstEval.csv.gz")
    chosen = (ratings["d"] % 10 == 0) & (ratings["s"] % 11 == 0)
    return ratings[chosen].reset_index(drop=True)


@cache
def radon() -> pd.DataFrame:
    """Simulated, of the shape of the Minnesota radon survey: 85 counties of 1 to 116 houses, the
    floor of each measurement, and the county's uranium."""
    rng = np.random.default_rng(85)
    sizes = np.clip(rng.lognormal(1.7, 1.0, 85).round().astype(int), 1, 116)
    county = np.repeat(np.arange(85), sizes)
    uranium = rng.normal(0.0, 0.37, 85)
    floor = (rng.random(len(county)) < 0.17).astype(int)
    intercept = 1.45 + 0.75 * uranium + rng.normal(0, 0.15, 85)
    slope = -0.67 + rng.normal(0, 0.3, 85)
    y = intercept[county] + slope[county] * floor + rng.normal(0, 0.75, len(county))
    return pd.DataFrame(
        {
            "log_radon": y,
            "floor": floor,
            "uranium": uranium[county],
            "county": [f"c{i:02d}" for i in county],
        }
    )
