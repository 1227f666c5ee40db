"""What of the audit trail and of the e-mails to staff needs mending."""

from collections.abc import Iterable
from datetime import timedelta

import sqlalchemy as sa

from rollcall import clock
from rollcall.accounts.audit_chain import verify_chain
from rollcall.accounts.lookups import list_organisations
from rollcall.extensions import db
from rollcall.models import StaffMail
from rollcall.monitoring.findings import CheckResult, good, mend
from rollcall.wording import say_count

FOLLOWED = 1_000  # entries of each organisation
# With a scheduler an e-mail goes within seconds; for so long it may wait for its next try.
PATIENCE = timedelta(minutes=10)


def examine_trail() -> Iterable[CheckResult]:
    """Follow the end of each organisation's chain, and look for e-mails that do not go out."""
    for organisation in list_organisations():
        report = verify_chain(organisation.id, last=FOLLOWED)
        said = f"{organisation.slug}: {report.sentence}"
        if report.unbroken:
            yield good("audit trail", said)
        else:
            command = f"flask audit verify --org {organisation.slug}"
            yield mend("audit trail", said, f"Keep a copy of the database, then: {command}")
    yield _check_mails()


def _check_mails() -> CheckResult:
    late = (StaffMail.ended_at.is_(None), StaffMail.created_at <= clock.now() - PATIENCE)
    waiting = db.session.scalar(sa.select(sa.func.count()).select_from(StaffMail).where(*late))
    if not waiting:
        return good("e-mails to staff", "None is waiting.")
    error = db.session.scalar(
        sa.select(StaffMail.error)
        .where(*late, StaffMail.error.is_not(None))
        .order_by(StaffMail.id.desc())
        .limit(1)
    )
    why = f" The last answer: {error}" if error else ""
    return mend(
        "e-mails to staff",
        f"{say_count(waiting, 'e-mail waits', 'e-mails wait')} for more than ten minutes.{why}",
        "Is a scheduler running, and does the provider for e-mail take messages? "
        "See: flask provider check",
    )
