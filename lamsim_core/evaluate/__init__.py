"""Measuring: several policies on the same held-out attempts, with intervals, and without a model as judge."""
