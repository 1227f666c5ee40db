"""E-mails to staff on their way out: claimed, sent, tried again, given up.

They go over the provider that carries the installation's e-mails, and no breaker or limit of
campaigns applies to them. Unlike a campaign's message, one whose fate can't be known goes again.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
import structlog

from rollcall import clock
from rollcall.accounts.alerts import raise_alert, settle_alerts
from rollcall.config import Settings
from rollcall.extensions import db, end_reading, write
from rollcall.models import Channel, Organisation, StaffMail
from rollcall.providers.base import Connection, OutgoingMessage, ProviderError
from rollcall.providers.registry import provider_for
from rollcall.sending.references import TEST_PERSON, write_reference

log = structlog.get_logger()

TIMEOUT = 10.0  # seconds
AT_ONCE = 20
# For so long nobody else takes a mail that is on the wire.
CLAIM = timedelta(minutes=2)
MOST_TRIES = 10  # over eight hours


@dataclass(frozen=True)
class _Mail:
    """What of a claimed mail is needed with no transaction open."""

    mail_id: int
    organisation_id: int
    sender_name: str
    postal_address: str
    address: str
    subject: str
    text: str
    tries: int


def send_waiting_mail(settings: Settings) -> int:
    """Send what waits for staff, at most a few at once; return how many went out.

    What the server can't take now waits for one, two, four … minutes; what it refuses for good,
    or ten times, is given up with its error stored and an alert.
    """
    waiting = db.session.scalars(
        sa.select(StaffMail.id)
        .where(StaffMail.ended_at.is_(None), StaffMail.not_before <= clock.now())
        .order_by(StaffMail.not_before, StaffMail.id)
        .limit(AT_ONCE)
    ).all()
    if not settings.reaches_people(Channel.EMAIL):
        _drop_secrets()
    if not waiting:
        return 0
    gone = 0
    end_reading()
    connection = provider_for(settings, Channel.EMAIL).connect(TIMEOUT)
    try:
        for mail_id in waiting:
            # Each is claimed right before it goes: a slow server must not outlast the claim.
            mail = _claim(mail_id, settings)
            error = _send(connection, mail) if mail is not None else None
            gone += mail is not None and error is None
            if error is not None and error.provider_wide:
                break  # the others would only wait for the same
    finally:
        connection.close()
    return gone


def _drop_secrets() -> None:
    """Give up mails that hold a secret: all staff can read the simulator's outbox.

    There are some only where the provider was changed while they waited.
    """
    waiting = sa.and_(StaffMail.secret, StaffMail.ended_at.is_(None))
    if db.session.scalar(sa.select(StaffMail.id).where(waiting).limit(1)) is None:
        return
    with write():
        db.session.execute(
            sa.update(StaffMail)
            .where(waiting)
            .values(ended_at=clock.now(), path="", error="the simulator sends no secrets")
            .execution_options(synchronize_session=False)
        )


def _claim(mail_id: int, settings: Settings) -> _Mail | None:
    now = clock.now()
    with write():
        taken = db.session.execute(
            sa.update(StaffMail)
            .where(
                StaffMail.id == mail_id,
                StaffMail.ended_at.is_(None),
                StaffMail.not_before <= now,
            )
            .values(not_before=now + CLAIM, tries=StaffMail.tries + 1)
            .returning(StaffMail.id)
            .execution_options(synchronize_session=False)
        ).all()
        if not taken:
            return None
        mail = db.session.get_one(StaffMail, mail_id, populate_existing=True)
        organisation = db.session.get_one(Organisation, mail.organisation_id)
        link = f"\n\n{settings.public_url}{mail.path}" if mail.path else ""
        return _Mail(
            mail_id=mail.id,
            organisation_id=mail.organisation_id,
            sender_name=f"Rollcall of {organisation.name}",
            postal_address=organisation.postal_address,
            address=mail.address,
            subject=mail.subject,
            text=f"{mail.text}{link}",
            tries=mail.tries,
        )


def _send(connection: Connection, mail: _Mail) -> ProviderError | None:
    outcome = next(iter(connection.send([_write(mail)])))
    error = outcome.error
    if error is not None:
        log.warning("mail to staff not sent", mail_id=mail.mail_id, error=error.code)
    with write():
        stored = db.session.get_one(StaffMail, mail.mail_id, populate_existing=True)
        if stored.ended_at is None and stored.tries == mail.tries:
            _record(stored, error)
    return error


def _record(stored: StaffMail, error: ProviderError | None) -> None:
    now = clock.now()
    stored.error = str(error)[:400] if error is not None else None
    if error is not None and not _is_final(error, stored.tries):
        stored.not_before = now + timedelta(minutes=2 ** (stored.tries - 1))
        return
    stored.ended_at = now
    if stored.secret:
        stored.path = ""
    if error is None:
        settle_alerts(_alert_key(stored))
    else:
        # Nobody is told of this by e-mail.
        raise_alert(
            "staff_mail",
            _alert_key(stored),
            _say_given_up(stored),
            organisation_id=stored.organisation_id,
        )


def _alert_key(stored: StaffMail) -> str:
    return f"staff_mail.{stored.staff_id or stored.address}"


def _say_given_up(stored: StaffMail) -> str:
    what = (
        "Once that is mended, send it again under Staff."
        if stored.secret
        else "It stands on their page of notices all the same."
    )
    return (
        f"The e-mail “{stored.subject}” to {stored.address} could not be delivered: "
        f"{stored.error} {what}"
    )


def _is_final(error: ProviderError, tries: int) -> bool:
    refused = error.permanent and not error.provider_wide
    return refused or tries >= MOST_TRIES


def _write(mail: _Mail) -> OutgoingMessage:
    token = secrets.randbits(63)
    return OutgoingMessage(
        token=token,
        organisation_id=mail.organisation_id,
        campaign_id=0,
        person_id=TEST_PERSON,
        channel=Channel.EMAIL,
        address=mail.address,
        subject=mail.subject,
        text=mail.text,
        reference=write_reference(0, TEST_PERSON, token),
        sender_name=mail.sender_name,
        postal_address=mail.postal_address,
    )
