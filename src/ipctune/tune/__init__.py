"""The loop: find the bottleneck, try what fits, prove it, keep it or take it back."""
