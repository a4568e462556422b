"""New web processes take over from old ones while callers go on."""

from __future__ import annotations

import os
import signal
import time

from tests.flows.portal import Client, Load, Portal

N_DEPLOYS = 2


def test_deploy__sighup_under_load__no_request_fails(portal: Portal, alice: Client, served: str) -> None:
    with Load(alice, served, n_threads=4) as load:
        for _ in range(N_DEPLOYS):
            master, *old = [member.pid for member in portal.children("gunicorn")]
            os.kill(master, signal.SIGHUP)

            def taken_over(old: list[int] = old) -> bool:
                now = {member.pid for member in portal.children("gunicorn")}
                return not now & set(old) and len(now) == len(old) + 1

            portal.wait_until(taken_over, 40, "new web processes")
            began = time.monotonic()
            portal.wait_until(lambda began=began: len(load.began_after(began)) > 50, 20, "answers")
    assert load.failed() == []


def test_recycle__one_process_ends_by_itself__no_request_fails(portal: Portal, alice: Client, served: str) -> None:
    """As it does when it has grown too large: with SIGTERM to itself."""
    with Load(alice, served, n_threads=4) as load:
        _master, *before = [member.pid for member in portal.children("gunicorn")]
        os.kill(before[0], signal.SIGTERM)
        portal.wait_until(
            lambda: len({m.pid for m in portal.children("gunicorn")} - {_master, *before}) == 1, 40, "a new process"
        )
        began = time.monotonic()
        portal.wait_until(lambda: len(load.began_after(began)) > 50, 20, "answers")
    assert load.failed() == []
