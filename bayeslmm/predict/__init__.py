"""Prediction for known and new rows."""

from bayeslmm.predict.predict import predict

__all__ = ["predict"]
