"""Checks of this machine and this installation. None of them needs a store."""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import shutil
import stat
import sys
from pathlib import Path

from packaging.requirements import Requirement

from portal.local import binaries, stores
from portal.local.console import CannotStart
from portal.local.doctor.finding import Finding, fail, ok, warn
from portal.local.paths import ROOT, Layout

_GIB = 1024**3
_LANDLOCK_CREATE_RULESET = 444
_ASK_VERSION = 1


def python(layout: Layout) -> Finding:
    where = "the system's environment (PORTAL_SKIP_VENV)" if os.environ.get("PORTAL_SKIP_VENV") == "1" else sys.prefix
    return ok("Python", f"{sys.version.split()[0]} in {where}")


def packages(layout: Layout) -> Finding:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wrong = [text for line in lines if (text := _differs(line))]
    if wrong:
        mend = "Delete .venv; the next start makes it anew."
        return fail("Packages", f"{len(wrong)} differ from requirements.txt ({', '.join(wrong[:3])}). {mend}")
    return ok("Packages", "as pinned in requirements.txt")


def _differs(line: str) -> str:
    """Empty when the line's pin is installed, does not apply here or is no pin."""
    text = line.partition("#")[0].strip()
    if not text:
        return ""
    pin = Requirement(text)
    if pin.marker and not pin.marker.evaluate():
        return ""
    try:
        found = importlib.metadata.version(pin.name)
    except importlib.metadata.PackageNotFoundError:
        return f"{pin.name} is missing"
    return "" if pin.specifier.contains(found) else f"{pin.name} is {found}"


def data_folder(layout: Layout) -> Finding:
    if not layout.data.exists():
        return ok("Data folder", f"{layout.data} will be made by the first `up`")
    if not os.access(layout.data, os.W_OK | os.X_OK):
        return fail("Data folder", f"{layout.data} is not writable here. Run as its owner, or set PORTAL_DATA_DIR.")
    free = shutil.disk_usage(layout.data).free
    text = f"{layout.data}, {free / _GIB:.1f} GiB free"
    if free < _GIB / 4:
        return fail("Data folder", f"{text}. Uploads and jobs will fail: make room on that disk.")
    return warn("Data folder", f"{text}. Make room soon.") if free < 2 * _GIB else ok("Data folder", text)


def secret_key(layout: Layout) -> Finding:
    if given := os.environ.get("PORTAL_SECRET_KEY"):
        if len(given) < 50:
            return warn("Secret key", "PORTAL_SECRET_KEY is short: use 50 random characters.")
        return ok("Secret key", "given by PORTAL_SECRET_KEY")
    path = layout.data / "secret_key"
    if not path.exists():
        return ok("Secret key", "will be made by the first start")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        return fail("Secret key", f"others may read {path}. Run: chmod 600 {path}")
    return ok("Secret key", f"{path}, for its owner's eyes only")


def store_programs(layout: Layout) -> Finding:
    found: list[str] = []
    try:
        if not stores.is_external(layout, "DATABASE_URL"):
            programs = binaries.find_postgres()
            found.append(f"PostgreSQL {programs.major} in {programs.folder}")
        if not stores.is_external(layout, "REDIS_URL"):
            found.append(str(binaries.find_valkey()))
    except CannotStart as problem:
        return fail("Store programs", str(problem))
    return ok("Store programs", " and ".join(found) or "not needed: DATABASE_URL and REDIS_URL name the stores")


def sandbox(layout: Layout) -> Finding:
    """Landlock keeps a hostile model from reading files; without it the other limits still hold."""
    abi = _landlock_version()
    if abi > 0:
        return ok("Sandbox", f"Landlock version {abi}")
    return warn("Sandbox", "this kernel has no Landlock (Linux 5.13): models are checked with process limits only")


def _landlock_version() -> int:
    if sys.platform != "linux":
        return 0
    syscall = ctypes.CDLL(None).syscall
    return int(syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION)))


def memory_folder(layout: Layout) -> Finding:
    folder = Path("/dev/shm")  # noqa: S108
    if sys.platform == "linux" and not os.access(folder, os.W_OK):
        return warn("Memory folder", f"{folder} is not writable: web processes keep their heartbeats on disk instead")
    return ok("Memory folder", "heartbeats of the web processes stay in memory")


CHECKS = (python, packages, data_folder, secret_key, store_programs, sandbox, memory_folder)
