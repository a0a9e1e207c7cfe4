"""Prediction for known and new rows; simulation from parameters and from the prior."""

from bayeslmm.predict.predict import predict
from bayeslmm.predict.prior import prior_predictive
from bayeslmm.predict.random import draw_ranef
from bayeslmm.predict.simulate import simulate

__all__ = ["draw_ranef", "predict", "prior_predictive", "simulate"]
