"""The two stores of a command: given by the environment, or embedded ones that are started here."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from functools import partial

from portal.local import claim, strays
from portal.local.child import Child
from portal.local.claim import Owner, write_private
from portal.local.external import wait_until_they_answer
from portal.local.paths import Layout
from portal.local.postgres import Postgres
from portal.local.supervisor import Supervisor
from portal.local.valkey import Valkey

_START_SECONDS = 120.0
VARIABLES = ("DATABASE_URL", "REDIS_URL")


def embedded(layout: Layout, *, durable: bool = True) -> list[Postgres | Valkey]:
    """The stores that the environment doesn't name."""
    stores = (Postgres(layout, durable=durable), Valkey(layout, durable=durable))
    return [store for store in stores if not os.environ.get(store.variable)]


def start(supervisor: Supervisor, layout: Layout, *, durable: bool = True) -> None:
    """Starts the embedded stores side by side, waits until all answer and names them in the environment.

    The caller owns the data folder and has ended the strays. The external ones are only waited for.
    """
    own = embedded(layout, durable=durable)
    children = [(store, supervisor.start(store.prepare())) for store in own]
    for store, child in children:
        supervisor.wait_for(partial(_is_ready, store, child), _START_SECONDS, store.name)
        store.finish()
    wait_until_they_answer(supervisor)
    os.environ.update({store.variable: store.url for store in own})
    write_private(layout, {name: os.environ[name] for name in VARIABLES})


def _is_ready(store: Postgres | Valkey, child: Child) -> bool:
    return child.pid is not None and store.ready(child.pid)


def is_external(layout: Layout, variable: str) -> bool:
    """Embedded stores answer on sockets in our private folder; whatever else is named there is somebody else's."""
    url = os.environ.get(variable)
    return bool(url) and str(layout.private) not in str(url)


def name_in_environment(layout: Layout) -> None:
    """Where embedded stores would answer if they ran: enough for commands that only load the settings."""
    for store in embedded(layout):
        os.environ[store.variable] = store.url


def join(layout: Layout, seconds: float = 60.0) -> bool:
    """Takes over the stores of whoever owns the data folder now; waits while they are being started."""
    end = time.monotonic() + seconds
    while claim.owner_of(layout):
        with contextlib.suppress(OSError, ValueError):
            os.environ.update(json.loads(layout.stores_file.read_text(encoding="utf-8")))
            return True
        if time.monotonic() >= end:
            break
        time.sleep(0.1)
    return False


@contextlib.contextmanager
def running(layout: Layout, command: str, *, durable: bool = True) -> Iterator[None]:
    """Stores for the length of one command: those of a running one, the environment's, or embedded ones of its own."""
    if join(layout):
        with claim.guest(layout):
            yield
    elif not embedded(layout):
        yield
    else:
        layout.make()
        with claim.claim(layout, Owner(os.getpid(), command)):
            yield from _own(layout, durable=durable)


def _own(layout: Layout, *, durable: bool) -> Iterator[None]:
    supervisor = Supervisor()
    strays.end(layout)
    try:
        start(supervisor, layout, durable=durable)
        yield
    finally:
        claim.wait_for_guests(layout)
        supervisor.stop()
