"""Alerts: what staff must know of, shown until somebody has seen to it or it has passed."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from rollcall import clock
from rollcall.accounts.notices import tell_admins
from rollcall.actors import Actor, record
from rollcall.errors import NotFound
from rollcall.extensions import db, write
from rollcall.models import Alert, Organisation, Role
from rollcall.sql import insert_missing


def raise_alert(
    kind: str,
    key: str,
    text: str,
    *,
    organisation_id: int | None = None,
    campaign_id: int | None = None,
) -> int | None:
    """Open an alert inside the caller's transaction; of one key only one is open at a time.

    Without an organisation it concerns everybody of the installation. Returns its id, or None
    where one was open already.
    """
    return db.session.scalar(
        insert_missing(Alert)
        .values(
            organisation_id=organisation_id,
            campaign_id=campaign_id,
            kind=kind,
            key=key[:120],
            text=text,
            created_at=clock.now(),
        )
        .returning(Alert.id)
    )


def settle_alerts(*keys: str) -> None:
    """Close the open alerts of these keys inside the caller's transaction: it has passed."""
    db.session.execute(
        sa.update(Alert)
        .where(Alert.key.in_(keys), Alert.closed_at.is_(None))
        .values(closed_at=clock.now())
        .execution_options(synchronize_session=False)
    )


def close_alert(actor: Actor, alert_id: int) -> None:
    """Close an alert that a staff member has seen to; closing it twice changes nothing.

    One that concerns all of the installation takes an admin, since it closes for everybody.
    Raises NotFound for one of another organisation.
    """
    with write():
        alert = db.session.get(Alert, alert_id, populate_existing=True)
        if alert is None or alert.organisation_id not in (None, actor.organisation_id):
            raise NotFound(f"There is no alert {alert_id}.")
        if alert.organisation_id is None:
            actor.require(Role.ADMIN)
        if alert.closed_at is not None:
            return
        alert.closed_at = clock.now()
        alert.closed_by_id = actor.staff_id
        record(actor, "alert.close", "alert", alert_id, after={"text": alert.text})


def list_open_alerts(organisation_id: int) -> Sequence[Alert]:
    """Return what is open for the organisation and for all of the installation, newest first."""
    return db.session.scalars(
        sa.select(Alert)
        .where(
            Alert.closed_at.is_(None),
            sa.or_(Alert.organisation_id == organisation_id, Alert.organisation_id.is_(None)),
        )
        .order_by(Alert.id.desc())
        .limit(20)
    ).all()


def list_all_open_alerts() -> Sequence[Alert]:
    """Return what is open for any organisation, newest first: for the command line only."""
    return db.session.scalars(
        sa.select(Alert).where(Alert.closed_at.is_(None)).order_by(Alert.id.desc()).limit(100)
    ).all()


def alert_document(alert: Alert) -> dict[str, Any]:
    """Return an alert as the API and the command line give it."""
    return {
        "id": alert.id,
        "kind": alert.kind,
        "text": alert.text,
        "campaign_id": alert.campaign_id,
        "whole_installation": alert.organisation_id is None,
        "created_at": alert.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def alert_admins(
    kind: str,
    key: str,
    title: str,
    text: str,
    *,
    organisation_id: int | None = None,
    campaign_id: int | None = None,
    path: str = "/alerts",
    told_as: str = "",
) -> None:
    """Raise an alert and, where none of this key was open, tell every admin whom it concerns.

    Without an organisation these are the admins of all. Who was told `told_as` already, as the
    author of a campaign, is not told again.
    """
    alert_id = raise_alert(
        kind, key, text, organisation_id=organisation_id, campaign_id=campaign_id
    )
    if alert_id is None:
        return
    everybody = sa.select(Organisation.id).order_by(Organisation.id)
    several = [organisation_id] if organisation_id is not None else db.session.scalars(everybody)
    for one in list(several):
        tell_admins(one, "alert", told_as or f"alert.{alert_id}", title, text, path)
