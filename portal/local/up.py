"""`python3 manage.py up`: stores, preparation, web, worker and beat, one box, and then watching until Ctrl-C."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import time
from functools import partial

from portal.local import processes, stores, strays
from portal.local.claim import Owner, claim
from portal.local.console import CannotStart, box, say, tail
from portal.local.paths import ROOT, Layout
from portal.local.prepare import PASSWORD_PREFIX
from portal.local.probe import Address, check_free, is_ready
from portal.local.supervisor import StopAsked, Supervisor

_READY_SECONDS = 180.0
_PREPARE_SECONDS = 600.0


def main(argv: list[str]) -> int:
    options = _parse(argv[2:])
    began = time.monotonic()
    layout = Layout.from_environment()
    layout.make()
    address = Address(options.host, options.port)
    supervisor = Supervisor()
    supervisor.listen()
    with claim(layout, Owner(os.getpid(), "up", address.url)):
        strays.end(layout)
        check_free(address)
        try:
            login = _start(supervisor, layout, address, no_demo=options.no_demo)
            print(_welcome(layout, address, login, time.monotonic() - began), flush=True)
            supervisor.watch()
        except StopAsked:
            pass
        finally:
            say("Stopping (Ctrl-C again to hurry) ...")
            supervisor.stop()
    say("Stopped.")
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="manage.py up", description="Starts everything and stays until Ctrl-C.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: 8000)")
    parser.add_argument("--no-demo", action="store_true", help="do not add the demo models")
    return parser.parse_args(arguments)


def _start(supervisor: Supervisor, layout: Layout, address: Address, *, no_demo: bool) -> str:
    say("Starting the stores ...")
    stores.start(supervisor, layout)
    say("Preparing the database ...")
    login = _prepare(supervisor, layout, no_demo=no_demo)
    say("Starting web, worker and beat ...")
    _empty(layout.run / "metrics")
    for name in processes.SERVICES:
        supervisor.start(processes.service(name, layout, address.bind))
    supervisor.wait_for(lambda: is_ready(address), _READY_SECONDS, f"{address.url}/readyz")
    for name in ("worker", "beat"):
        supervisor.wait_for(partial(processes.announced_ready, name, layout), _READY_SECONDS, name)
    return login


def _empty(folder: os.PathLike[str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder)


def _prepare(supervisor: Supervisor, layout: Layout, *, no_demo: bool) -> str:
    """Runs the preparation and returns how to log in. The password goes from pipe to screen, never into a file."""
    log = layout.log("prepare")
    command = [*processes.argv("prepare"), *(["--no-demo"] if no_demo else [])]
    with open(log, "ab") as out:
        log.chmod(0o600)
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **processes.environment(layout)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=out,
            start_new_session=True,
        )
    try:
        supervisor.wait_for(lambda: process.poll() is not None, _PREPARE_SECONDS, "the preparation")
    finally:
        process.kill()
        output = process.communicate()[0].decode()
    if process.returncode:
        raise CannotStart(f"Preparing the database did not work. The end of {log}:\n\n{tail(log)}")
    return _login(output)


def _login(output: str) -> str:
    for line in output.splitlines():
        if line.startswith(PASSWORD_PREFIX):
            return f"admin / {line.removeprefix(PASSWORD_PREFIX)}   (shown this once)"
    if os.environ.get("PORTAL_ADMIN_PASSWORD"):
        return "admin, with the password that PORTAL_ADMIN_PASSWORD had at the first start"
    return "admin   (password lost? python3 manage.py changepassword admin)"


def _welcome(layout: Layout, address: Address, login: str, seconds: float) -> str:
    lines = [
        "Slipway is running",
        "",
        f"Open     {address.url}",
        f"Sign in  {login}",
        f"Data     {layout.data}",
        f"Logs     {layout.logs}",
        "Stop     Ctrl-C",
    ]
    if not address.is_local and not os.environ.get("PORTAL_ALLOWED_HOSTS"):
        lines.append("Note     other machines reach it once PORTAL_ALLOWED_HOSTS names this one")
    return f"{box(lines)}\nREADY in {seconds:.1f} s"
