"""What docs/notifications.md says has to be what happens."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from registry.notifications.delivery import BACK_OFF_SECONDS, LEASE_SECONDS
from registry.notifications.events import EVENTS
from registry.notifications.payload import headers

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "notifications.md").read_text(encoding="utf-8")


def test_page__events__equal_the_code() -> None:
    rows = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \| (.+) \|$", PAGE, re.M)
    assert rows == [(name, str(sentence)) for name, sentence in EVENTS.items()]


def test_page__python_snippet__accepts_ours_and_nothing_else() -> None:
    snippet = re.search(r"```python\n(.+?)```", PAGE, re.S)
    assert snippet is not None
    names: dict[str, Any] = {}
    exec(snippet[1], names)  # It is our own page.
    check, now, body = names["is_from_slipway"], str(int(time.time())), b'{"id": 1}'
    good = headers("rollout.held", 1, "whsec_a", now, body)["X-Slipway-Signature"]
    old = str(int(time.time()) - 301)
    late = headers("rollout.held", 1, "whsec_a", old, body)["X-Slipway-Signature"]
    assert check("whsec_a", now, good, body) is True
    assert check("whsec_b", now, good, body) is False
    assert check("whsec_a", now, good, body + b" ") is False
    assert check("whsec_a", str(int(now) + 1), good, body) is False
    assert check("whsec_a", now, good.removeprefix("sha256="), body) is False
    assert check("whsec_a", old, late, body) is False


def test_page__back_off__equals_the_code() -> None:
    assert BACK_OFF_SECONDS == (10, 60, 300, 1800, 7200)
    assert LEASE_SECONDS == 120
    sentence = " ".join(PAGE.split())
    assert "after 10 seconds, 1 minute, 5 minutes, 30 minutes and 2 hours; after that sixth try" in sentence
    assert "sent again after two minutes" in sentence
