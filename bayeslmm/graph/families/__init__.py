"""A PyMC node for every response family, one a file."""

from bayeslmm.graph.families.base import Given, Node
from bayeslmm.graph.families.bernoulli import Bernoulli
from bayeslmm.graph.families.beta import Beta
from bayeslmm.graph.families.beta_binomial import BetaBinomial
from bayeslmm.graph.families.binomial import Binomial
from bayeslmm.graph.families.categorical import Categorical
from bayeslmm.graph.families.exponential import Exponential
from bayeslmm.graph.families.gamma import Gamma
from bayeslmm.graph.families.gaussian import Gaussian
from bayeslmm.graph.families.inverse_gaussian import InverseGaussian
from bayeslmm.graph.families.lognormal import LogNormal
from bayeslmm.graph.families.negative_binomial import NegativeBinomial
from bayeslmm.graph.families.ordinal import Ordinal
from bayeslmm.graph.families.poisson import Poisson
from bayeslmm.graph.families.student_t import StudentT
from bayeslmm.graph.families.zero_inflated import ZeroInflated

NODES: dict[str, Node] = {
    node.name: node
    for node in (
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

__all__ = ["NODES", "Given", "Node"]
