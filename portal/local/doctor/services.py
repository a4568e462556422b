"""Checks of what runs: stores, tables, web, worker. They also work when nothing does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from portal.celery import app
from portal.local import claim, prepare, stores
from portal.local.console import CannotStart
from portal.local.doctor.finding import Finding, Level, fail, ok, warn
from portal.local.doctor.keys import seals
from portal.local.doctor.proofs import served_versions
from portal.local.external import ask_postgres, ask_redis, without_password
from portal.local.paths import Layout
from portal.local.probe import Address, check_free, is_ready

_MOST_CLOCK_SKEW_SECONDS = 2.0
_DEFAULT = Address("127.0.0.1", 8000)


def examine(layout: Layout) -> Iterator[Finding]:
    owner = claim.owner_of(layout)
    yield _web(owner)
    database, broker = _store("PostgreSQL", "DATABASE_URL", ask_postgres), _store("Valkey", "REDIS_URL", ask_redis)
    is_idle = owner is None and not any(stores.is_external(layout, name) for name in stores.VARIABLES)
    if is_idle and Level.FAIL in (database.level, broker.level):
        yield warn("Stores", "not running. `python3 manage.py up` starts them; tables and worker were not looked at.")
    else:
        yield from (database, broker)
        if database.level == Level.OK:
            yield _tables()
            yield seals()
            yield served_versions()
            yield _clock()
        if broker.level == Level.OK:
            yield _worker()
    yield _static_files()


def _web(owner: claim.Owner | None) -> Finding:
    if owner and owner.url:
        parts = urlsplit(owner.url)
        if is_ready(Address(parts.hostname or "127.0.0.1", parts.port or 80)):
            return ok("Web", f"ready at {owner.url}, run by process {owner.pid}")
        return fail(
            "Web", f"process {owner.pid} runs `up`, but {owner.url}/readyz says it isn't ready: see logs/web.log."
        )
    try:
        check_free(_DEFAULT)
    except CannotStart as problem:
        return warn("Web", f"not started by this data folder. {problem}")
    return ok("Web", f"not running; port {_DEFAULT.port} is free")


def _store(name: str, variable: str, ask: Callable[[str], str]) -> Finding:
    url = os.environ.get(variable, "")
    if trouble := ask(url):
        return fail(name, f"{without_password(url)} does not answer: {trouble}. Start it or correct {variable}.")
    return ok(name, f"answers at {without_password(url)}")


def _tables() -> Finding:
    try:
        executor = MigrationExecutor(connection)
        n_open = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    except DatabaseError as error:
        return fail("Tables", f"cannot be read: {str(error).splitlines()[0]}")
    if n_open:
        return fail("Tables", f"{n_open} migrations are not applied. Run: python3 manage.py migrate")
    return ok("Tables", "all migrations are applied")


def _clock() -> Finding:
    """Leases and tokens compare times of several machines."""
    with connection.cursor() as cursor:
        before = time.time()
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        skew = float(cursor.fetchone()[0]) - (before + time.time()) / 2
    if abs(skew) > _MOST_CLOCK_SKEW_SECONDS:
        return fail("Clock", f"differs from the database's by {skew:+.1f} s. Let both machines keep time with NTP.")
    return ok("Clock", f"agrees with the database's ({skew * 1000:+.0f} ms)")


def _worker() -> Finding:
    try:
        answers = app.control.ping(timeout=2.0)
    except (OSError, app.connection_for_read().connection_errors) as error:
        return fail("Worker", f"cannot be asked: {error}")
    if not answers:
        return fail("Worker", "no worker answers: validations and jobs wait. See logs/worker.log, or start `up` again.")
    return ok("Worker", f"{len(answers)} answer")


def _static_files() -> Finding:
    if prepare.static_is_current():
        return ok("Static files", "collected")
    return warn("Static files", "not collected, or changed since: the next `up` does it")
