from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from portal.local.paths import ROOT


def doctor(data: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """As a person would call it, on a folder where nothing runs."""
    kept = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")}
    environment = {**kept, "PORTAL_SKIP_VENV": "1", "PORTAL_DATA_DIR": str(data), **environment}
    command = [sys.executable, str(ROOT / "manage.py"), "doctor"]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_doctor__nothing_runs__says_so_and_finds_nothing_wrong(tmp_path: Path) -> None:
    result = doctor(tmp_path / "data")
    assert result.returncode == 0, result.stdout + result.stderr
    levels = {line[5:21].strip(): line[:5].strip() for line in result.stdout.splitlines()}
    assert levels["Packages"] == "ok"
    assert levels["Store programs"] == "ok"
    assert levels["Stores"] == "warn"
    assert "fail" not in levels.values()


def test_doctor__others_may_read_the_secret__fails_and_says_how_to_mend(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("k" * 64)
    (tmp_path / "secret_key").chmod(0o644)
    result = doctor(tmp_path)
    assert result.returncode == 1
    assert f"Run: chmod 600 {tmp_path}/secret_key" in result.stdout


def test_doctor__external_store_is_away__fails_without_showing_its_password(tmp_path: Path) -> None:
    result = doctor(tmp_path, DATABASE_URL="postgresql://me:s3cret@127.0.0.1:1/db", REDIS_URL="redis://127.0.0.1:1/0")
    assert result.returncode == 1
    assert "PostgreSQL" in result.stdout
    assert "does not answer" in result.stdout
    assert "s3cret" not in result.stdout + result.stderr
