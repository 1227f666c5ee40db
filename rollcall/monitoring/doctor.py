"""What is wrong with this installation, before anybody's campaign finds out.

Each check gives lines: what was found, and where it is not as it should be, how to mend it. What
can be looked at without the database is looked at also where the database is away.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from rollcall import clock
from rollcall.config import Settings
from rollcall.extensions import db
from rollcall.models import Channel
from rollcall.monitoring.doctor_sending import examine_sending
from rollcall.monitoring.doctor_tables import TABLES, examine_tables
from rollcall.monitoring.doctor_trail import examine_trail
from rollcall.monitoring.findings import CheckResult, good, mend
from rollcall.providers.http_line import is_loopback
from rollcall.providers.registry import channels_of, provider_for, providers_in_use

LEAST_FREE = 500 * 1024 * 1024  # bytes
SHORTEST_KEY = 16  # characters
MOST_DIFFERENCE = 2.0  # seconds between the database's clock and ours


@dataclass(frozen=True)
class Examination:
    """All that was looked at."""

    lines: list[CheckResult]

    @property
    def healthy(self) -> bool:
        """Return whether nothing must be mended."""
        return all(line.ok for line in self.lines)


def examine(settings: Settings) -> Examination:
    """Look at everything; nothing is changed, and nothing is sent to anybody."""
    lines = [*_check_secret_key(settings), *_check_public_url(settings), *_check_folder(settings)]
    database = _check_database(settings)
    lines += database
    if any(line.subject == TABLES and line.ok for line in database):
        lines += _guarded("sending", lambda: examine_sending(settings))
        lines += _guarded("audit trail", examine_trail)
    # The session must hold no transaction while providers take their time.
    _let_go()
    return Examination([*lines, *_check_providers(settings)])


def _check_secret_key(settings: Settings) -> Iterable[CheckResult]:
    if settings.secret_key is None and not settings.demo:
        yield mend(
            "SECRET_KEY",
            "It is not set, so that nothing can be served.",
            "Set it to a long random text, and keep it.",
        )
    elif settings.secret_key is None and _real_channels(settings):
        yield mend(
            "SECRET_KEY",
            "This is a demo with a key that everybody knows, and it sends to real people.",
            "Set SECRET_KEY to a long random text.",
        )
    elif settings.secret_key is not None and len(settings.secret_key) < SHORTEST_KEY:
        yield mend(
            "SECRET_KEY",
            f"It has less than {SHORTEST_KEY} characters, and sessions could be forged.",
            "Set it to a long random text.",
        )
    else:
        yield good("SECRET_KEY", "It is set." if settings.secret_key else "A demo needs none.")


def _check_public_url(settings: Settings) -> Iterable[CheckResult]:
    parts = urlsplit(settings.public_url)
    outside = _why_outside(settings)
    if not outside:
        yield good("PUBLIC_URL", f"{settings.public_url}; nobody outside needs to reach it.")
    elif not parts.hostname or is_loopback(parts.hostname):
        yield mend(
            "PUBLIC_URL",
            f"{settings.public_url} is reached from this machine only, but {outside}.",
            "Set it to the address at which the outside reaches Rollcall, with https://.",
        )
    elif parts.scheme != "https":
        yield mend(
            "PUBLIC_URL",
            f"{settings.public_url} is not encrypted, but {outside}.",
            "Put a web server with TLS in front of Rollcall, and begin the address with https://.",
        )
    else:
        yield good("PUBLIC_URL", f"{settings.public_url}.")


def _why_outside(settings: Settings) -> str:
    """Return what comes in from outside, or nothing where all that we speak to is right here."""
    if settings.reaches_people(Channel.EMAIL):
        return "e-mails hold links for unsubscribing"
    provider = provider_for(settings, Channel.SMS)
    far = provider.host is not None and not is_loopback(provider.host)
    if provider.declaration.routes and far:
        label = provider.declaration.label
        return f"{label} reports there what became of messages, and who wrote STOP"
    return ""


def _real_channels(settings: Settings) -> list[Channel]:
    return [channel for channel in Channel if settings.reaches_people(channel)]


def _check_folder(settings: Settings) -> Iterable[CheckResult]:
    folder = settings.instance_path
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as written:
            written.write(b"x")
            written.flush()
    except OSError as error:
        yield mend(
            "instance folder",
            f"{folder} can't be written to: {error.strerror or error}.",
            "Let the user that runs Rollcall write there, or set ROLLCALL_INSTANCE to another.",
        )
        return
    free = shutil.disk_usage(folder).free
    said = f"{folder} can be written to; {free / 1024**3:.1f} GiB are free."
    if free < LEAST_FREE:
        yield mend("instance folder", said, "Make room: without it nothing can be sent.")
    else:
        yield good("instance folder", said)


def _check_database(settings: Settings) -> list[CheckResult]:
    kind = urlsplit(settings.database_url).scheme.partition("+")[0]
    name = "SQLite" if kind == "sqlite" else "PostgreSQL"
    try:
        tables = examine_tables()
        difference = _clock_difference() if name == "PostgreSQL" else 0.0
    except DBAPIError as error:
        said = (str(error.orig).strip() or "no reason given").splitlines()[0]
        return [
            mend(
                "database",
                f"{name} can't be reached: {said}.",
                "Start it, or correct DATABASE_URL.",
            )
        ]
    lines = [good("database", f"{name} answers."), *tables]
    if abs(difference) > MOST_DIFFERENCE:
        lines.append(
            mend(
                "clocks",
                f"The database's clock and this machine's differ by {abs(difference):.0f} seconds.",
                "Let both follow the network's time (NTP): leases and due times depend on it.",
            )
        )
    elif name == "PostgreSQL":
        lines.append(good("clocks", "The database and this machine agree on the time."))
    return lines


def _clock_difference() -> float:
    """Return how many seconds the database is ahead of us, as near as one question can tell."""
    with db.engine.connect() as connection:
        before = clock.now()
        theirs = connection.scalar(sa.select(sa.func.clock_timestamp()))
        after = clock.now()
    assert theirs is not None
    return (theirs - (before + (after - before) / 2)).total_seconds()


def _check_providers(settings: Settings) -> Iterable[CheckResult]:
    for provider in providers_in_use(settings):
        channels = channels_of(settings, provider.name)
        subject = f"{provider.declaration.label} ({' and '.join(channels)})"
        for finding in provider.check():
            if finding.ok:
                yield good(subject, finding.text)
            else:
                yield mend(subject, finding.text, "Then look again: flask provider check")


def _guarded(subject: str, look: Callable[[], Iterable[CheckResult]]) -> list[CheckResult]:
    """Return what a look at the database found, also where that breaks off in the middle."""
    try:
        return list(look())
    except DBAPIError as error:
        said = (str(error.orig).strip() or "no reason given").splitlines()[0]
        return [mend(subject, f"The database can't tell: {said}.", "Look at its own log.")]


def _let_go() -> None:
    try:
        db.session.rollback()
    except DBAPIError:
        db.session.remove()
