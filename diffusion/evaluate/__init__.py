"""Evaluation: metrics, infill cases, execution, baselines."""
