"""The one-machine default: virtual environment, embedded stores, supervisor. Larger set-ups do without it."""
