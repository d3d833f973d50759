"""From pairs of measurements to a verdict: pure functions that know nothing of what was measured.

A pair is one number, d = log(B / A): B's figure against A's, in a pair whose inner order was drawn at random. Exact
for any noise that both arms of a pair share, as long as one block does not carry over into the next.
"""
