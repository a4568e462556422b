"""A real browser against a real `up` with its demo content. Pages stay on this host and keep the console clean."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Playwright, sync_playwright

from tests.flows.portal import ADMIN_PASSWORD, ALL_SCOPES, Client, Portal, running

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
# Proves that a page needs no other host: no other name resolves.
NAMES = "--host-resolver-rules=MAP localhost:8000 127.0.0.1:{port}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
WIDE, NARROW = {"width": 1400, "height": 900}, {"width": 390, "height": 844}
PATIENCE_MS = 20_000

PEOPLE = """
from registry.models import Membership, Project, User
project = Project.objects.get(slug="default")
bob, charlie = (User.objects.create_user(name, password="a-long-passw0rd") for name in ("bob", "charlie"))
Membership.objects.create(project=project, user=bob, role="viewer")
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in item.nodeid:
            item.add_marker("browser")


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    with running(tmp_path_factory.mktemp("browser") / "data", "--host", "127.0.0.1") as started:
        started.manage("shell", "-v", "0", "-c", PEOPLE)
        yield started


@pytest.fixture(scope="package")
def api(site: Portal) -> Client:
    """What prepares and checks beside the browser."""
    return site.client(site.create_token("admin", *ALL_SCOPES))


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    if CHROMIUM is None:
        pytest.skip("no chromium here: apt-get install chromium")
    with sync_playwright() as started:
        yield started


class Visit:
    """One person at one browser window, and everything that the browser complained about."""

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.base = base
        self.page: Page = context.pages[0] if context.pages else context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.complaints: list[str] = []
        self.outside: list[str] = []
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._look_at)

    def _note(self, message: Any) -> None:
        """A refused form is answered with 4xx, which Chromium reports though the page shows it well."""
        if message.type in ("error", "warning") and "the server responded with a status of 4" not in message.text:
            self.complaints.append(f"{self.page.url}: {message.text}")

    def _look_at(self, request: Any) -> None:
        if not request.url.startswith((self.base + "/", "data:")):
            self.outside.append(request.url)

    def go(self, path: str) -> Page:
        self.page.goto(self.base + path)
        return self.page

    def sign_in(self, name: str = "admin", password: str = ADMIN_PASSWORD) -> Page:
        page = self.go("/accounts/login/")
        page.get_by_label("Username").fill(name)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(self.base + "/")
        return page


Open = Callable[..., Visit]


@pytest.fixture
def visit(playwright: Playwright, site: Portal, tmp_path: Path) -> Iterator[Open]:
    """`visit(theme="dark", narrow=True, script=False)` opens a fresh browser; at the end nobody may have complained."""
    opened: list[tuple[BrowserContext, Visit]] = []

    def open_one(*, theme: str = "light", narrow: bool = False, script: bool = True, shown_as: str = "") -> Visit:
        context = playwright.chromium.launch_persistent_context(
            tmp_path / f"profile-{len(opened)}",
            executable_path=CHROMIUM,
            args=[*SWITCHES, NAMES.format(port=site.port)],
            viewport=NARROW if narrow else WIDE,
            color_scheme=theme,
            java_script_enabled=script,
            accept_downloads=True,
        )
        opened.append((context, Visit(context, shown_as or site.url)))
        return opened[-1][1]

    yield open_one
    for context, _visit in opened:
        context.close()
    assert [complaint for _context, seen in opened for complaint in seen.complaints] == []
    assert [url for _context, seen in opened for url in seen.outside] == []
