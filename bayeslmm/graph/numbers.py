"""The one way in which numbers enter a PyTensor graph: as float64.

`pt.as_tensor_variable(30.0)` is float32, and a density then off in the sixth digit a row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def f64(value: ArrayLike) -> NDArray[np.float64]:
    """A float64 array of the value."""
    return np.asarray(value, dtype=np.float64)
