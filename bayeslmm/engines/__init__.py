"""One method a file: Model to fit values."""

from bayeslmm.engines.registry import AUTOMATIC, ENGINES, choose, willing

__all__ = ["AUTOMATIC", "ENGINES", "choose", "willing"]
