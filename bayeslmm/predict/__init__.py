"""Prediction for known and new rows."""

from bayeslmm.predict.predict import predict
from bayeslmm.predict.random import draw_ranef

__all__ = ["draw_ranef", "predict"]
