"""The plan's form in a real browser: rows come and go in place, with and without JavaScript."""

from collections.abc import Callable

import pytest

from rollcall.extensions import db
from rollcall.plans.records import find_plan
from tests.browser.conftest import PHONE, Site, Window
from tests.factories import make_event


@pytest.mark.parametrize("javascript", [True, False], ids=["htmx", "plain"])
def test_rows_are_added_typed_into_and_removed(
    site: Site, window: Callable[..., Window], javascript: bool
):
    event = make_event(site.organisation, "gala")
    page = window(java_script_enabled=javascript, viewport=PHONE).page
    page.goto(f"{site.url}/events/gala/plan/edit")
    page.fill("#finished_goods-0-name", "gift boxes")
    page.fill("#finished_goods-0-quantity", "300")
    page.click("#add-finished_goods")
    page.wait_for_selector("#finished_goods-1-name")
    if javascript:
        page.wait_for_selector("#finished_goods-1-name:focus")
    page.fill("#finished_goods-1-name", "Stickers")
    page.fill("#finished_goods-1-quantity", "7")
    page.click("#remove-finished_goods-0")
    page.wait_for_selector("#finished_goods-1-name", state="detached")
    assert page.input_value("#finished_goods-0-name") == "Stickers"
    if javascript:
        page.wait_for_selector("#add-finished_goods:focus")
    page.press("#finished_goods-0-quantity", "Enter")
    page.wait_for_url("**/events/gala/plan")
    assert "7 Stickers for 0 people." in page.inner_text("main")
    db.session.rollback()
    goods = find_plan(event.organisation_id, "gala").items.finished_goods
    assert [(good.name, good.quantity) for good in goods] == [("Stickers", 7)]
