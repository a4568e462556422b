from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from portal.local.paths import ROOT
from portal.local.secret import read_or_create


def test_secret__absent__is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret_key"
    secret = read_or_create(path)
    assert len(secret) == 64
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_or_create(path) == secret
    assert [entry.name for entry in path.parent.iterdir()] == ["secret_key"]


def test_secret__many_processes_at_once__all_get_the_same(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from portal.local.secret import read_or_create; "
        "print(read_or_create(Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "secret_key")]
    processes = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    assert len({process.communicate()[0] for process in processes}) == 1


def test_secret__truncated_file__is_refused_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    path.write_text("short\n")
    with pytest.raises(ValueError, match="holds no usable secret"):
        read_or_create(path)
    assert path.read_text() == "short\n"
