"""Anything that yields samples: a user's command, or a real server driven by a client."""
