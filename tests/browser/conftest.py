"""A real Chromium against the real application: served by waitress, with its scheduler on.

Where no Chromium is installed these tests are left out, and the reason is printed.
"""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from waitress.server import create_server

from app import create_app
from rollcall import scheduler
from rollcall.accounts.passwords import hash_password
from rollcall.extensions import db
from rollcall.models import Organisation, Role, StaffMember
from tests.conftest import make_settings
from tests.factories import make_organisation, make_staff
from tests.web.browser import PASSWORD

CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
PHONE = {"width": 390, "height": 844}
LAPTOP = {"width": 1280, "height": 900}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


def find_chromium() -> str | None:
    """The browser to drive: CHROMIUM_PATH, or the one of the system."""
    named = os.environ.get("CHROMIUM_PATH")
    return named or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    path = find_chromium()
    if path is None and os.environ.get("ROLLCALL_TEST_BROWSER") == "required":
        pytest.fail("Chromium is not installed, and is required here")
    if path is None:
        pytest.skip("Chromium is not installed: apt-get install chromium, or set CHROMIUM_PATH")
    from playwright.sync_api import sync_playwright

    starting = pytest.MonkeyPatch()
    # Under a moved clock (`tests.moved_clock`) Chromium never comes to show a page, so that it
    # keeps the machine's own: what counts for a page is the server's.
    starting.delenv("LD_PRELOAD", raising=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_FLAGS))
        starting.undo()
        yield browser
        browser.close()


def _serve(server: Any) -> None:
    # At the end the socket is closed while the server still waits for it.
    with suppress(OSError):
        server.run()


class Site:
    """The running application, with one organisation and somebody who may do everything."""

    def __init__(self, app: APIFlask, url: str) -> None:
        self.app = app
        self.url = url
        self.organisation: Organisation = make_organisation(name="Art Battle Canada")
        self.staff: StaffMember = make_staff(
            Role.SUPER, self.organisation, password_hash=hash_password(PASSWORD)
        )


@pytest.fixture
def site(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> Iterator[Site]:
    """Serve the application on a free port, and look for due campaigns ten times a second.

    Further settings can be given as the fixture's parameter.
    """
    changes = {"ROLLCALL_SCHEDULER_SECONDS": "0.1", **getattr(request, "param", {})}
    app = create_app(make_settings(tmp_path, settings.database_url, **changes))
    app.config["LOGIN_LIMIT"] = "1000 per minute"
    server = create_server(app, host="127.0.0.1", port=0, threads=4)
    serving = threading.Thread(target=_serve, args=(server,), daemon=True)
    with app.app_context():
        site = Site(app, f"http://127.0.0.1:{server.effective_port}")
        serving.start()
        running = scheduler.start(app)
        yield site
        running.stop()
        db.session.rollback()
        db.session.remove()
        server.close()
        serving.join(timeout=10)
        db.engine.dispose()


class Window:
    """A page with somebody logged in; what it complained about is kept for the test's end."""

    def __init__(self, page: Any, site: Site) -> None:
        self.page = page
        self.site = site
        self.complaints: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._watch)

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _watch(self, request: Any) -> None:
        if not request.url.startswith((self.site.url, "data:")):
            self.complaints.append(f"request to another host: {request.url}")

    def open(self, path: str) -> None:
        self.page.goto(self.site.url + path)

    def log_in(self, email: str) -> None:
        self.open("/login")
        self.page.fill("[name=email]", email)
        self.page.fill("[name=password]", PASSWORD)
        self.page.click("main button[type=submit]")
        self.page.wait_for_url(lambda url: "/login" not in url)


@pytest.fixture
def window(chromium: Any, site: Site) -> Iterator[Callable[..., Window]]:
    """Opens a window with somebody logged in (the site's staff member, unless told otherwise).

    The test fails where a page complained in the console or asked another host for anything.
    """
    opened: list[Window] = []

    def make(staff: StaffMember | None = None, **options: Any) -> Window:
        context = chromium.new_context(**{"viewport": LAPTOP, **options})
        context.set_default_timeout(15_000)
        window = Window(context.new_page(), site)
        window.log_in((staff or site.staff).email)
        opened.append(window)
        return window

    yield make
    complaints = [text for window in opened for text in window.complaints]
    for window in opened:
        window.page.context.close()
    assert not complaints, complaints
