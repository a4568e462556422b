"""Real PostgreSQL and Valkey processes, each test in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest
import redis

from portal.local import stores, strays
from portal.local.console import CannotStart
from portal.local.external import ask_postgres, ask_redis, without_password
from portal.local.paths import ROOT, Layout

# Starts stores, writes a row and a key, says so and then waits to be killed.
OWNER = """
import os, sys, time
from pathlib import Path
import psycopg2, redis
from portal.local import stores
from portal.local.paths import Layout
with stores.running(Layout(Path(sys.argv[1])), "up"):
    with psycopg2.connect(os.environ["DATABASE_URL"]) as connection:
        connection.cursor().execute("CREATE TABLE kept AS SELECT 42 AS answer")
    redis.Redis.from_url(os.environ["REDIS_URL"]).set("kept", "43")
    time.sleep(1.2)  # Valkey writes its file once a second
    print("written", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Layout]:
    for name in stores.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(0o711)
    made = Layout(tmp_path / "data")
    yield made
    shutil.rmtree(made.private, ignore_errors=True)


def kept(layout: Layout) -> tuple[int, bytes | None]:
    with psycopg2.connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT answer FROM kept")
        row = cursor.fetchone()
    assert row is not None
    return row[0], redis.Redis.from_url(os.environ["REDIS_URL"]).get("kept")  # type: ignore[return-value]


def start_owner(layout: Layout) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", OWNER, str(layout.data)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    return process


def family(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [*parent.children(recursive=True), parent]


def test_stores__everything_killed__keep_all_data(layout: Layout) -> None:
    owner = start_owner(layout)
    for process in family(owner.pid):
        process.kill()
    owner.wait()
    with stores.running(layout, "check"):
        assert kept(layout) == (42, b"43")


def test_stores__only_the_owner_killed__start_again_beside_nobody(layout: Layout) -> None:
    owner = start_owner(layout)
    orphans = family(owner.pid)[:-1]
    owner.kill()
    owner.wait()
    with stores.running(layout, "check"):
        assert kept(layout) == (42, b"43")
        assert not [process for process in orphans if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    assert strays.find(layout) == []


def test_stores__second_command__joins_those_that_run(layout: Layout) -> None:
    owner = start_owner(layout)
    with stores.running(layout, "check"):
        assert kept(layout) == (42, b"43")
    assert json.loads(layout.stores_file.read_text()) == {name: os.environ[name] for name in stores.VARIABLES}
    assert layout.stores_file.stat().st_mode & 0o777 == 0o600
    assert owner.poll() is None
    for process in family(owner.pid):
        process.kill()
    owner.wait()


def test_stores__stopped__leave_no_process_and_no_address(layout: Layout) -> None:
    with stores.running(layout, "check", durable=False):
        sockets = [*layout.private.rglob("*")]
        assert {path.name for path in sockets} >= {"valkey.sock", ".s.PGSQL.5432"}
        assert max(len(str(path)) for path in sockets) < 104
    assert strays.find(layout) == []
    assert not layout.stores_file.exists()
    assert not layout.private.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends PostgreSQL another account")
def test_stores__root_in_a_closed_folder__keeps_data_there(layout: Layout) -> None:
    layout.data.parent.chmod(0o700)
    with stores.running(layout, "check", durable=False):
        assert psycopg2.connect(os.environ["DATABASE_URL"]).closed == 0
        assert layout.data.parent.stat().st_mode & 0o777 == 0o700
    assert (layout.data / "postgres" / "PG_VERSION").read_text() == "18\n"


def test_stores__cluster_of_another_version__is_refused_and_left_alone(layout: Layout) -> None:
    (layout.data / "postgres").mkdir(parents=True)
    layout.data.chmod(0o711)
    (layout.data / "postgres" / "PG_VERSION").write_text("12\n")
    expected = "made by PostgreSQL 12, but this is PostgreSQL 18"
    with pytest.raises(CannotStart, match=expected), stores.running(layout, "check"):
        pass
    assert [path.name for path in (layout.data / "postgres").iterdir()] == ["PG_VERSION"]


def test_strays__worker_of_a_dead_start__is_ended(layout: Layout) -> None:
    layout.make()
    environment = {**os.environ, strays.MARK: str(layout.data)}
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], env=environment)
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    strays.end(layout)
    assert process.wait(5) == -signal.SIGTERM
    assert other.poll() is None
    other.kill()
    other.wait()


def test_external__nobody_answers__says_what_is_wrong() -> None:
    assert "refused" in ask_postgres("postgresql://someone:secret@127.0.0.1:1/db").lower()
    assert "refused" in ask_redis("redis://127.0.0.1:1/0").lower()


def test_external__url_with_password__is_shown_without_it() -> None:
    assert without_password("postgresql://me:s3cret@db:5432/x") == "postgresql://me:***@db:5432/x"
