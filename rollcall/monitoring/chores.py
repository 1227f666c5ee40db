"""What Rollcall sees to between campaigns: nothing here is due to the second."""

from collections.abc import Callable

import structlog

from rollcall.accounts.sessions import remove_old_sessions
from rollcall.campaigns.alerts import remind_of_reviews, settle_alerts_that_passed
from rollcall.config import Settings
from rollcall.extensions import db
from rollcall.sending.rehearsals import run_due_rehearsals
from rollcall.sending.staff_mail import send_waiting_mail

log = structlog.get_logger()

Chore = Callable[[Settings], object]
# Mail comes last, so that what the others have to say goes out in the same round.
CHORES: tuple[Chore, ...] = (
    run_due_rehearsals,
    remind_of_reviews,
    settle_alerts_that_passed,
    remove_old_sessions,
    send_waiting_mail,
)


def run_chores(settings: Settings) -> list[str]:
    """Do each chore once, in any number of processes at the same time; return those that failed.

    One that fails is logged, keeps no other from being done, and comes again the next time.
    """
    failed = []
    for chore in CHORES:
        try:
            chore(settings)
        except Exception:
            log.exception("chore failed", chore=chore.__name__)
            failed.append(chore.__name__)
        finally:
            db.session.rollback()
    return failed
