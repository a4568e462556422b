"""Versions that may harm their process run in one of their own: confined, watched, and started again when it ends."""
