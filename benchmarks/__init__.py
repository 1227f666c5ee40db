"""Measurements, never tests: each prints a table and writes JSON to benchmarks/results/."""
