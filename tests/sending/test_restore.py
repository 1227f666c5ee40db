"""A database restored from a backup: nothing that was due in between goes out by itself."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from rollcall.campaigns.drafts import create_campaign
from rollcall.campaigns.scheduling import resume_campaign
from rollcall.errors import Conflict, NotAllowed
from rollcall.extensions import db, write
from rollcall.models import (
    Alert,
    Attempt,
    AuditEntry,
    Campaign,
    CampaignState,
    Installation,
    PersonFacts,
    Recipient,
    RecipientState,
    Role,
)
from rollcall.sending.installation import (
    confirm_restored,
    find_hold,
    find_installation,
    hold_restored_backup,
    mark_file,
    may_send,
)
from rollcall.sending.review import review_campaign
from tests.campaigns.stage import SUNDAY_UTC, Stage, assert_adds_up
from tests.factories import make_actor

WRITTEN_BY_SENDING = (
    *("owner", "lease_until", "sent_started_at", "completed_at"),
    *("final_at", "actual_recipients", "final_snapshot"),
)
Restore = Callable[[], None]


def take_backup(stage: Stage, folder: Path) -> Restore:
    """Keep the database as it is now; returns what puts it back.

    SQLite's file is really copied away and back. On PostgreSQL what a sending changes is
    written back to what it was.
    """
    if stage.settings.database_url.startswith("sqlite"):
        return _copy_file(Path(stage.settings.database_url.removeprefix("sqlite:///")), folder)
    return _remember_rows()


def _copy_file(path: Path, folder: Path) -> Restore:
    db.session.commit()
    backup = folder / "backup.sqlite"
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(backup)) as kept:
        source.backup(kept)

    def restore() -> None:
        db.session.remove()
        db.engine.dispose()
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        shutil.copy(backup, path)

    return restore


def _remember_rows() -> Restore:
    mark = db.session.get_one(Installation, 1).send_mark
    last = db.session.get_one(Installation, 1).last_sent_at
    states = {
        row.id: row.state for row in db.session.execute(sa.select(Campaign.id, Campaign.state))
    }
    sent = set(db.session.scalars(sa.select(Attempt.id)))

    def restore() -> None:
        with write():
            db.session.execute(sa.delete(Attempt).where(Attempt.id.not_in(sent)))
            db.session.execute(sa.update(Installation).values(send_mark=mark, last_sent_at=last))
            db.session.execute(sa.update(PersonFacts).values(last_message_at=None))
            db.session.execute(
                sa.update(Recipient).values(state=RecipientState.QUEUED, address=None)
            )
            for campaign_id, state in states.items():
                db.session.execute(
                    sa.update(Campaign)
                    .where(Campaign.id == campaign_id)
                    .values(state=state, **dict.fromkeys(WRITTEN_BY_SENDING))
                )
        db.session.expire_all()

    return restore


def open_alerts() -> list[Alert]:
    return list(db.session.scalars(sa.select(Alert).where(Alert.closed_at.is_(None))))


@pytest.fixture
def sent_and_restored(stage: Stage, tmp_path: Path) -> int:
    """A campaign that went out to three after the backup, which has been put back."""
    stage.people(3)
    find_installation()
    campaign_id = stage.for_sunday(False)
    restore = take_backup(stage, tmp_path)
    stage.run_on_sunday()
    assert len(stage.reached(campaign_id)) == 3
    restore()
    assert stage.campaign(campaign_id).state == CampaignState.SCHEDULED
    return campaign_id


def test_nothing_goes_out_until_it_is_confirmed_and_nobody_gets_it_twice_by_itself(
    stage: Stage, sent_and_restored: int
):
    campaign_id = sent_and_restored
    for _ in range(3):
        assert stage.run_due() == []
    assert len(stage.reached(campaign_id)) == 3
    hold = find_hold()
    assert hold is not None
    assert "restored from a backup" in hold.reason
    [alert] = open_alerts()
    assert alert.kind == "restored"
    stopped = stage.campaign(campaign_id)
    assert stopped.state == CampaignState.NEEDS_REVIEW
    assert "may have gone out already" in stopped.state_note

    confirm_restored(stage.actor, stage.settings)
    assert (find_hold(), open_alerts()) == (None, [])
    assert stage.run_due() == []
    assert len(stage.reached(campaign_id)) == 3, "what was stopped stays stopped"
    entry = db.session.query(AuditEntry).filter_by(action="installation.confirm_restored").one()
    assert entry.staff_id == stage.actor.staff_id

    review_campaign(stage.actor, campaign_id, "cancel")
    assert stage.run_due() == []
    assert len(stage.reached(campaign_id)) == 3
    assert_adds_up(stage.document(campaign_id))


def test_who_decides_to_send_all_the_same_gets_just_that(stage: Stage, sent_and_restored: int):
    stage.run_due()
    confirm_restored(stage.actor, stage.settings)
    review_campaign(stage.actor, sent_and_restored, "estimate")
    stage.run_due()
    reached = stage.reached(sent_and_restored)
    assert len(reached) == 6
    assert len(set(reached)) == 3
    assert may_send(stage.settings), "the mark has gone on from where the file stood"


def test_only_a_super_confirms_and_only_what_is_held(stage: Stage, sent_and_restored: int):
    with pytest.raises(Conflict, match="Nothing is held back"):
        confirm_restored(stage.actor, stage.settings)
    stage.run_due()
    for role in (Role.STAFF, Role.ADMIN):
        with pytest.raises(NotAllowed):
            confirm_restored(make_actor(stage.organisation, role), stage.settings)
    assert find_hold() is not None


def test_what_is_written_after_the_restore_waits_for_the_confirmation(
    stage: Stage, sent_and_restored: int
):
    stage.run_due()
    new = stage.at_once(name="Written afterwards")
    assert stage.run_due() == []
    assert stage.campaign(new).state == CampaignState.SCHEDULED
    confirm_restored(stage.actor, stage.settings)
    assert stage.run_due() == [new]
    assert len(stage.reached(new)) == 3
    assert len(stage.reached(sent_and_restored)) == 3


def test_one_that_was_going_out_is_paused_until_staff_let_it_go_on(stage: Stage, tmp_path: Path):
    stage.people(3)
    campaign_id = stage.at_once()
    find_installation()
    with write():
        db.session.get_one(Campaign, campaign_id).state = CampaignState.SENDING
    restore = take_backup(stage, tmp_path)
    stage.run_due()
    assert len(stage.reached(campaign_id)) == 3
    restore()
    assert stage.run_due() == []
    assert stage.campaign(campaign_id).state == CampaignState.PAUSED
    confirm_restored(stage.actor, stage.settings)
    assert stage.run_due() == []
    assert len(stage.reached(campaign_id)) == 3
    resume_campaign(stage.actor, campaign_id)
    stage.run_due()
    assert stage.campaign(campaign_id).state == CampaignState.COMPLETED


def test_a_backup_put_back_before_anything_went_out_holds_nothing(stage: Stage, tmp_path: Path):
    stage.people(2)
    find_installation()
    campaign_id = stage.for_sunday(False)
    restore = take_backup(stage, tmp_path)
    restore()
    stage.run_on_sunday()
    assert len(stage.reached(campaign_id)) == 2
    assert (find_hold(), open_alerts()) == (None, [])


def test_a_backup_that_is_put_back_is_held_without_any_mark(stage: Stage):
    """On a new machine nothing but the restoring itself tells that a database is old."""
    stage.people(2)
    due, later = stage.for_sunday(False), stage.for_sunday(True)
    sending, draft = stage.at_once(), create_campaign(stage.actor, stage.draft())
    with write():
        db.session.get_one(Campaign, sending).state = CampaignState.SENDING
        db.session.get_one(Campaign, later).scheduled_at += timedelta(days=1)
    stage.clock.move_to(SUNDAY_UTC + timedelta(hours=1))
    reason = hold_restored_backup(stage.settings)
    assert "The last message that it knows of: none at all." in reason
    assert "some went out" not in reason.lower()
    assert [stage.campaign(one).state for one in (due, sending, later, draft)] == [
        CampaignState.NEEDS_REVIEW,
        CampaignState.PAUSED,
        CampaignState.SCHEDULED,
        CampaignState.DRAFT,
    ]
    assert [alert.kind for alert in open_alerts()] == ["restored"]
    assert stage.run_due() == []
    confirm_restored(stage.actor, stage.settings)
    assert stage.run_due() == []
    assert (find_hold(), open_alerts()) == (None, [])


def test_another_installation_does_not_read_our_mark(stage: Stage):
    stage.people(1)
    stage.at_once()
    stage.run_due()
    ours = mark_file(stage.settings, find_installation().uuid)
    assert ours.exists()
    with write():
        db.session.get_one(Installation, 1).uuid = "f" * 32
        db.session.get_one(Installation, 1).send_mark = 0
    assert may_send(stage.settings)
