"""The scheduler's own bookkeeping: an error in one look leaves the next one all its threads."""

import pytest
from apiflask import APIFlask
from sqlalchemy.exc import OperationalError

from rollcall import scheduler
from rollcall.scheduler import CAMPAIGNS_AT_ONCE, CampaignScheduler
from tests.campaigns.conftest import clock, stage
from tests.campaigns.stage import Stage

__all__ = ["clock", "stage"]


def test_claims_that_fail_use_up_no_thread(
    app: APIFlask, stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    """The database was away for a while: afterwards campaigns still go out."""
    people = stage.people(3)
    campaign_id = stage.at_once()
    looking = CampaignScheduler(app)

    def fail(*_: object) -> None:
        raise OperationalError("SELECT", {}, Exception("the database is away"))

    with monkeypatch.context() as patch:
        patch.setattr(scheduler, "claim_work", fail)
        for _ in range(CAMPAIGNS_AT_ONCE):
            with pytest.raises(OperationalError):
                looking._claim_and_run()
    looking._claim_and_run()
    looking._runs.shutdown(wait=True)
    assert stage.reached(campaign_id) == people
