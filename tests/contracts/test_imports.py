"""Which way imports run (`[tool.importlinter]` in pyproject.toml), and that they stand at the top of their files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True)


def test_import_contracts__kept() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_contracts__name_every_room_of_the_wiring() -> None:
    """A new module of `portal` must not slip through: everything but `lib` is listed."""
    listed = (ROOT / "pyproject.toml").read_text()
    rooms = {
        path.stem for path in (ROOT / "portal").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    wiring = rooms - {"__init__", "lib", "gunicorn.conf"}
    assert [room for room in sorted(wiring) if f'"portal.{room}"' not in listed] == []


def test_ruff__nothing_to_say() -> None:
    done = run("ruff", "check", "--no-cache", "--output-format", "concise", ".")
    assert done.returncode == 0, done.stdout


def test_nothing_is_unpickled() -> None:
    words = ("import pickle", "from pickle", "allow_pickle=True", "import joblib", "import cloudpickle", "marshal")
    sources = [path for room in ("portal", "registry", "inference") for path in (ROOT / room).rglob("*.py")]
    found = [f"{path.relative_to(ROOT)}: {word}" for path in sources for word in words if word in path.read_text()]
    assert found == []
