"""Find what inter-process communication costs on this machine, prove what helps, keep it or undo it."""

__version__ = "0.1.0"
