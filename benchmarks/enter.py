"""Import this first: it continues the script in `.venv`, which `manage.py` makes where it is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv" / "bin" / "python"

if Path(sys.prefix).resolve() != PYTHON.parent.parent.resolve():
    if not PYTHON.exists():
        subprocess.run([sys.executable, str(ROOT / "manage.py"), "version"], check=True, stdout=subprocess.DEVNULL)
    os.execv(PYTHON, [str(PYTHON), *sys.argv])
