"""What can be set on this machine, and the one place that writes it.

A knob is one entry in one of these files; `registry.KNOBS` collects them. Nothing here knows of benchmarks.
"""
