"""Measure a workload: blocks of the C core, what they cost, and the wake-cost curve."""
