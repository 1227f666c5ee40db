"""What the simulator was given to send, for staff to read."""

from rollcall.config import Settings
from rollcall.paging import Page
from rollcall.providers.simulator import OutboxMessage, read_outbox

PAGE = 24


def list_outbox(
    settings: Settings,
    organisation_id: int,
    *,
    campaign_id: int | None = None,
    before: int | None = None,
    limit: int = PAGE,
) -> Page[OutboxMessage]:
    """Return a page of the organisation's simulated messages, the newest first.

    `campaign_id` narrows them to one campaign, `before` is the id that the page goes on from.
    """
    found = read_outbox(
        settings.outbox_path,
        organisation_id,
        campaign_id=campaign_id,
        before=before,
        limit=limit + 1,
    )
    rows = found[:limit]
    return Page(rows, str(rows[-1].id) if len(found) > limit else None)
