"""Response families, one a file."""

from bayeslmm.families.base import Family
from bayeslmm.families.gaussian import Gaussian

FAMILIES: dict[str, Family] = {f.name: f for f in (Gaussian(),)}

__all__ = ["FAMILIES", "Family", "Gaussian"]
