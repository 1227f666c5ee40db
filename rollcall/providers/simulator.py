"""The simulator: accepts every message and keeps it where staff can read it.

Its outbox is a SQLite file of its own, beside the application's database and never inside
it, as a gateway's log would be: what stands there has really been handed over.
"""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rollcall import clock
from rollcall.providers.base import Finding, Outcome, OutgoingMessage, ProviderError
from rollcall.providers.declaration import Declaration, Provider
from rollcall.providers.settings import setting

_SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY,
    token INTEGER NOT NULL,
    organisation_id INTEGER NOT NULL,
    campaign_id INTEGER NOT NULL,
    person_id INTEGER NOT NULL,
    channel TEXT NOT NULL,
    address TEXT NOT NULL,
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    sent_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS message_by_organisation ON message (organisation_id, id);
CREATE INDEX IF NOT EXISTS message_by_campaign ON message (organisation_id, campaign_id, id);
"""

_READ = """
SELECT id, campaign_id, person_id, channel, address, subject, text, sent_at
FROM message WHERE {conditions} ORDER BY id DESC LIMIT ?
"""

REJECTED = "unreachable"


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One message as the simulator was given it."""

    id: int
    campaign_id: int
    person_id: int
    channel: str
    address: str
    subject: str
    text: str
    sent_at: datetime


@dataclass(frozen=True)
class SimulatorSettings:
    """What the simulator is told: the addresses that it refuses."""

    refuses: tuple[str, ...] = setting(
        "ROLLCALL_SIMULATOR_REFUSES",
        "addresses, by spaces, that the simulator refuses",
        read=lambda text, _environ: tuple(text.split()),
    )


class Simulator(Provider):
    """Writes each message to the outbox; refuses the addresses that it was told to refuse."""

    together = 100

    def __init__(self, outbox: Path, refused: Collection[str] = ()) -> None:
        self._outbox = outbox
        self._refused = frozenset(refused)

    def connect(self, timeout: float) -> "Simulator":
        """Return the simulator itself, which needs no line."""
        return self

    def close(self) -> None:
        """Do nothing: each call opens and closes the outbox."""

    def check(self) -> list[Finding]:
        """Look whether the outbox can be opened."""
        try:
            with _opened(self._outbox):
                pass
        except (OSError, sqlite3.Error) as error:
            return [Finding(False, f"The outbox {self._outbox} can't be opened: {error}.")]
        return [Finding(True, "Nothing leaves this machine: messages are kept in the outbox.")]

    def send(self, messages: Sequence[OutgoingMessage]) -> list[Outcome]:
        """Keep all messages in one commit; each outcome names the message's place in the outbox."""
        accepted = [message for message in messages if message.address not in self._refused]
        with _opened(self._outbox) as outbox:
            # The numbers are given out inside the write lock, or two processes give the same.
            outbox.execute("BEGIN IMMEDIATE")
            first = outbox.execute("SELECT coalesce(max(id), 0) + 1 FROM message").fetchone()[0]
            sent_at = clock.now().isoformat()
            outbox.executemany(
                "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        number,
                        message.token,
                        message.organisation_id,
                        message.campaign_id,
                        message.person_id,
                        message.channel,
                        message.address,
                        message.subject,
                        message.text,
                        sent_at,
                    )
                    for number, message in enumerate(accepted, first)
                ],
            )
            outbox.execute("COMMIT")
        kept = [
            Outcome(message.token, provider_message_id=f"sim-{number}")
            for number, message in enumerate(accepted, first)
        ]
        refusal = ProviderError(REJECTED, "The simulator was told to refuse this address.")
        return kept + [
            Outcome(message.token, error=refusal)
            for message in messages
            if message.address in self._refused
        ]


DECLARATION = Simulator.declaration = Declaration(
    name="simulator",
    label="Simulator",
    channels=("sms", "email"),
    settings=SimulatorSettings,
    make=lambda settings, folder: Simulator(outbox_of(folder), settings.refuses),
    proves_refusal=("The address is one that it was told to refuse.",),
    leaves_doubt=("Its outbox can't be written to.",),
    receipts="none",
    real=False,
)


def outbox_of(instance_path: Path) -> Path:
    """Return where the simulator of an installation keeps what it was given."""
    return instance_path / "outbox.sqlite"


def read_outbox(
    outbox: Path,
    organisation_id: int,
    *,
    campaign_id: int | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[OutboxMessage]:
    """Return the organisation's newest messages, of one campaign or all, older than id `before`."""
    if not outbox.exists():
        return []
    conditions, values = ["organisation_id = ?"], [organisation_id]
    if campaign_id is not None:
        conditions.append("campaign_id = ?")
        values.append(campaign_id)
    if before is not None:
        conditions.append("id < ?")
        values.append(before)
    statement = _READ.format(conditions=" AND ".join(conditions))
    with _opened(outbox) as connection:
        rows = connection.execute(statement, [*values, limit]).fetchall()
    return [OutboxMessage(*row, sent_at=datetime.fromisoformat(sent_at)) for *row, sent_at in rows]


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        # Each time: of two processes that open a new outbox at once, either may write first.
        connection.executescript(_SCHEMA)
        yield connection
    finally:
        connection.close()
