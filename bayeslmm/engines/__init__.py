"""One method a file: Model to fit values."""

from bayeslmm.engines.registry import AUTOMATIC, ENGINES, availability, choose

__all__ = ["AUTOMATIC", "ENGINES", "availability", "choose"]
