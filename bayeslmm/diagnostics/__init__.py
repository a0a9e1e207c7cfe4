"""Diagnostics of fits."""
