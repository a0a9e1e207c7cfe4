"""Response families, one a file."""

from bayeslmm.families.base import Auxiliary, Family, Response
from bayeslmm.families.bernoulli import Bernoulli
from bayeslmm.families.beta import Beta
from bayeslmm.families.beta_binomial import BetaBinomial
from bayeslmm.families.binomial import Binomial
from bayeslmm.families.categorical import Categorical
from bayeslmm.families.exponential import Exponential
from bayeslmm.families.gamma import Gamma
from bayeslmm.families.gaussian import Gaussian
from bayeslmm.families.inverse_gaussian import InverseGaussian
from bayeslmm.families.links import LINKS, Link
from bayeslmm.families.lognormal import LogNormal
from bayeslmm.families.negative_binomial import NegativeBinomial
from bayeslmm.families.ordinal import Ordinal
from bayeslmm.families.poisson import Poisson
from bayeslmm.families.student_t import StudentT
from bayeslmm.families.zero_inflated import ZeroInflated

FAMILIES: dict[str, Family] = {
    f.name: f
    for f in (
        Gaussian(),
        StudentT(),
        LogNormal(),
        Bernoulli(),
        Binomial(),
        BetaBinomial(),
        Poisson(),
        NegativeBinomial(),
        Gamma(),
        InverseGaussian(),
        Exponential(),
        Beta(),
        Ordinal(),
        Categorical(),
        ZeroInflated(Poisson()),
        ZeroInflated(NegativeBinomial()),
        ZeroInflated(Binomial()),
    )
}

__all__ = ["FAMILIES", "LINKS", "Auxiliary", "Family", "Gaussian", "Link", "Response"]
