"""Quiet hours of an organisation's text messages, and in whose zone unknown phones are judged."""

import sqlalchemy as sa

from rollcall.audience.criteria import Criteria
from rollcall.extensions import db
from rollcall.messages.quiet import SendingHours, SendingWindow
from rollcall.models import Channel, Event, Organisation


def read_sending_window(
    organisation: Organisation, channel: Channel, criteria: Criteria | None
) -> SendingWindow | None:
    """Return when messages of such a campaign may arrive, None where at any hour.

    That is so of e-mails, and where the organisation has its quiet hours off. A phone whose
    zone is not known is judged by the zones of the chosen events; where there is none, or the
    criteria are None because they can't be read, by the organisation's.
    """
    opens, closes = organisation.quiet_until, organisation.quiet_from
    if channel == Channel.EMAIL or opens is None or closes is None:
        return None
    slugs = criteria.events if criteria else ()
    zones = list(
        db.session.scalars(
            sa.select(Event.timezone)
            .where(Event.organisation_id == organisation.id, Event.slug.in_(slugs))
            .order_by(Event.starts_at, Event.id)
        )
    )
    fallback = list(dict.fromkeys(zones)) or [organisation.timezone]
    return SendingWindow(SendingHours(opens, closes), fallback)
