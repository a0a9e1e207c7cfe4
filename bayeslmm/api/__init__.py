"""The Model and the Fit that users hold."""

from bayeslmm.api.fit import Fit, load_fit
from bayeslmm.api.model import Model

__all__ = ["Fit", "Model", "load_fit"]
