"""Prior densities, one a file, and the default policy."""

from bayeslmm.priors.base import NormalMixture, Prior, number, tidy
from bayeslmm.priors.beta import Beta
from bayeslmm.priors.cauchy import Cauchy
from bayeslmm.priors.exponential import Exponential
from bayeslmm.priors.flat import Flat
from bayeslmm.priors.gamma import Gamma
from bayeslmm.priors.half_cauchy import HalfCauchy
from bayeslmm.priors.half_normal import HalfNormal
from bayeslmm.priors.half_student_t import HalfStudentT
from bayeslmm.priors.horseshoe import Horseshoe
from bayeslmm.priors.inverse_gamma import InverseGamma
from bayeslmm.priors.joint import JointPrior
from bayeslmm.priors.laplace import Laplace
from bayeslmm.priors.lkj import LKJ
from bayeslmm.priors.lognormal import LogNormal
from bayeslmm.priors.normal import Normal
from bayeslmm.priors.on_variance import OnVariance
from bayeslmm.priors.policy import resolve_priors
from bayeslmm.priors.r2d2 import R2D2
from bayeslmm.priors.registry import PRIORS, parse_prior
from bayeslmm.priors.slots import CENTRED, RESIDUAL, Slot, Slots, TermSlot
from bayeslmm.priors.student_t import StudentT
from bayeslmm.priors.uniform import Uniform
from bayeslmm.priors.variance_shares import VarianceShares

__all__ = [
    "CENTRED",
    "LKJ",
    "PRIORS",
    "R2D2",
    "RESIDUAL",
    "Beta",
    "Cauchy",
    "Exponential",
    "Flat",
    "Gamma",
    "HalfCauchy",
    "HalfNormal",
    "HalfStudentT",
    "Horseshoe",
    "InverseGamma",
    "JointPrior",
    "Laplace",
    "LogNormal",
    "Normal",
    "NormalMixture",
    "OnVariance",
    "Prior",
    "Slot",
    "Slots",
    "StudentT",
    "TermSlot",
    "Uniform",
    "VarianceShares",
    "number",
    "parse_prior",
    "resolve_priors",
    "tidy",
]
