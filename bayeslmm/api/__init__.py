"""The Model and the Fit that users hold, and what works on them."""

from bayeslmm.api.fit import Fit, load_fit
from bayeslmm.api.model import Model
from bayeslmm.api.work import calibrate, marginal_loglik, recover

__all__ = ["Fit", "Model", "calibrate", "load_fit", "marginal_loglik", "recover"]
