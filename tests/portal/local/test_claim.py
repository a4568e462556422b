from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from portal.local.claim import Owner, Taken, claim, owner_of
from portal.local.paths import ROOT, Layout

HOLDER = """
import os, sys, time
from pathlib import Path
from portal.local.claim import Owner, claim
from portal.local.paths import Layout
layout = Layout(Path(sys.argv[1])); layout.make()
with claim(layout, Owner(os.getpid(), "up", "http://127.0.0.1:8123")):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "data")
    made.make()
    return made


def hold(layout: Layout) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(layout.data)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_claim__taken_by_another_process__says_where_it_runs(layout: Layout) -> None:
    holder = hold(layout)
    expected = f"`python3 manage.py up` at http://127.0.0.1:8123 (process {holder.pid})"
    with pytest.raises(Taken) as refused, claim(layout, Owner(1, "up")):
        pass
    assert str(refused.value) == f"{layout.data} is in use by {expected}."
    assert owner_of(layout) == Owner(holder.pid, "up", "http://127.0.0.1:8123")
    holder.kill()
    holder.wait()


def test_claim__owner_killed__is_free_again(layout: Layout) -> None:
    holder = hold(layout)
    holder.kill()
    holder.wait()
    assert owner_of(layout) is None
    with claim(layout, Owner(2, "migrate")):
        assert owner_of(layout) == Owner(2, "migrate")
    assert owner_of(layout) is None


def test_owner__nothing_was_ever_started__is_nobody(tmp_path: Path) -> None:
    assert owner_of(Layout(tmp_path / "nowhere")) is None
