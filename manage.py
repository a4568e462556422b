#!/usr/bin/env python3
"""Slipway's one entrance: `python3 manage.py up`, `python3 manage.py test` and every other management command.

Needs nothing but Python: it makes `.venv` at the first start and carries on inside it.
"""

import os
import sys

# This file alone must be readable by any Python 3, so that an old one gets a sentence instead of a syntax error.
if sys.version_info < (3, 11):
    sys.exit("Slipway needs Python 3.11 or newer; this is Python %d.%d." % sys.version_info[:2])
if os.name != "posix":
    sys.exit("Slipway runs on Linux and macOS. On Windows use WSL or Docker (docker compose up).")

from portal.local.start import main

if __name__ == "__main__":
    sys.exit(main(sys.argv))
