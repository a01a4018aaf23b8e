"""Engines, models and processes behind `python -m benchmarks.gradients`."""
