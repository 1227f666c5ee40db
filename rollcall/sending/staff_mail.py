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
from rollcall.config import Settings
from rollcall.extensions import db, write
from rollcall.models import Channel, Organisation, StaffMail
from rollcall.providers.base import Connection, OutgoingMessage, ProviderError
from rollcall.providers.registry import provider_for
from rollcall.sending.references import TEST_PERSON, write_reference

log = structlog.get_logger()

TIMEOUT = 10.0  # seconds
AT_ONCE = 20
# For so long nobody else takes a mail that is on the wire.
CLAIM = timedelta(minutes=2)
MOST_TRIES = 8  # over four hours


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
    or eight times, is given up with its error stored.
    """
    waiting = db.session.scalars(
        sa.select(StaffMail.id)
        .where(StaffMail.ended_at.is_(None), StaffMail.not_before <= clock.now())
        .order_by(StaffMail.not_before, StaffMail.id)
        .limit(AT_ONCE)
    ).all()
    if settings.email_provider == "simulator":
        _drop_secrets()
    claimed = [mail for mail_id in waiting if (mail := _claim(mail_id, settings)) is not None]
    if not claimed:
        return 0
    connection = provider_for(settings, Channel.EMAIL).connect(TIMEOUT)
    try:
        return sum(_send(connection, mail) for mail in claimed)
    finally:
        connection.close()


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


def _send(connection: Connection, mail: _Mail) -> bool:
    outcome = next(iter(connection.send([_write(mail)])))
    error = outcome.error
    if error is not None:
        log.warning("mail to staff not sent", mail_id=mail.mail_id, error=error.code)
    with write():
        stored = db.session.get_one(StaffMail, mail.mail_id, populate_existing=True)
        now = clock.now()
        stored.error = str(error)[:400] if error is not None else None
        if error is None or _is_final(error, mail.tries):
            stored.ended_at = now
            if stored.secret:
                stored.path = ""
        else:
            stored.not_before = now + timedelta(minutes=2 ** (mail.tries - 1))
    return error is None


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
