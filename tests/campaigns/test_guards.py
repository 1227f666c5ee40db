"""Guards: which change of an audience stops a campaign, by the role of who scheduled it (D4)."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollcall.audience.difference import AudienceChange
from rollcall.campaigns.guards import (
    DEFAULT_LIMITS,
    GuardLimits,
    check_not_looser,
    evaluate_guards,
    limits_for,
    read_limits,
)
from rollcall.errors import InvalidInput
from rollcall.models import Role

FREE = Decimal(0)


def verdict(limits, before, after, cost=FREE):
    return evaluate_guards(limits, AudienceChange(before, after), cost)


@pytest.mark.parametrize(
    ("role", "before", "after", "stops"),
    [
        (Role.STAFF, 100, 200, False),
        (Role.STAFF, 100, 201, True),
        (Role.ADMIN, 100, 600, False),
        (Role.ADMIN, 100, 601, True),
        (Role.SUPER, 100, 2_100, False),
        (Role.SUPER, 100, 2_101, True),
        (None, 100, 1_100, False),
        (None, 100, 1_101, True),
        # Just over half a percent would be rounded away; the limit is exact.
        (Role.STAFF, 1_000, 2_001, True),
        (Role.SUPER, 40_000, 90_000, False),
        (Role.SUPER, 40_000, 90_001, True),
        (Role.SUPER, 90_000, 100_000, False),
        (Role.SUPER, 90_000, 100_001, True),
        (Role.STAFF, 100, 10, False),
        (Role.STAFF, 100, 0, False),
        (Role.STAFF, 0, 412, False),
        (Role.STAFF, 0, 50_001, True),
        (Role.STAFF, 0, 0, False),
    ],
)
def test_the_limits_of_each_role(role, before, after, stops):
    assert verdict(limits_for(role, None, None), before, after).stops is stops


def test_a_stop_says_why_in_a_sentence():
    found = verdict(DEFAULT_LIMITS[Role.ADMIN], 78, 490)
    assert found.blockers == (
        "The audience went from 78 to 490 people (+412, +528 %); the limit is 500 %.",
    )
    assert found.warnings == ()


def test_a_fall_warns_or_stops():
    found = verdict(GuardLimits(), 1_000, 99)
    assert not found.stops
    assert found.warnings == (
        "The audience went from 1,000 to 99 people (-901, -90 %); "
        "a fall of over 90 % is one to look at.",
    )
    assert verdict(GuardLimits(fall_stops=True), 1_000, 99).stops
    assert not verdict(GuardLimits(fall_stops=True), 1_000, 100).stops


def test_a_budget_and_a_minimum():
    assert verdict(GuardLimits(budget=Decimal(5)), 100, 100, Decimal("5.00")).stops is False
    found = verdict(GuardLimits(budget=Decimal(5)), 100, 100, Decimal("5.01"))
    assert found.blockers == ("It would cost $5.01; the budget is $5.00.",)
    found = verdict(GuardLimits(minimum=10), 12, 9)
    assert found.blockers == ("The final audience has 9 people; at least 10 are asked for.",)


def test_from_nobody_no_percent_is_made_up():
    found = verdict(DEFAULT_LIMITS[Role.STAFF], 0, 412)
    assert found.blockers == ()
    assert "Nobody was on the estimate" in found.warnings[0]


def test_the_campaigns_limits_replace_the_organisations_and_those_the_defaults():
    organisation = {"staff": {"growth_percent": 200, "ceiling": None}}
    limits = limits_for(Role.STAFF, organisation, {"growth_percent": 50, "budget": "12.50"})
    assert limits == GuardLimits(growth_percent=50, ceiling=None, budget=Decimal("12.50"))
    assert limits_for(Role.ADMIN, organisation, None) == DEFAULT_LIMITS[Role.ADMIN]


@pytest.mark.parametrize(
    ("given_limits", "field", "said"),
    [
        ({"growth": 5}, "growth", "not a limit"),
        ({"growth_percent": "many"}, "growth_percent", "whole number"),
        ({"growth_percent": True}, "growth_percent", "whole number"),
        ({"ceiling": -1}, "ceiling", "whole number"),
        ({"ceiling": 10**12}, "ceiling", "whole number"),
        ({"fall_percent": 101}, "fall_percent", "more than 100 %"),
        ({"fall_stops": "yes"}, "fall_stops", "true or false"),
        ({"budget": "a lot"}, "budget", "amount of money"),
        ({"budget": "NaN"}, "budget", "amount from 0"),
    ],
)
def test_what_is_no_limit_is_refused_by_its_field(given_limits, field, said):
    with pytest.raises(InvalidInput) as refusal:
        read_limits(given_limits)
    assert said in refusal.value.fields[field]


def test_limits_are_read_as_a_form_has_them():
    assert read_limits({"growth_people": "1,000", "minimum": "", "budget": "9.5"}) == {
        "growth_people": 1_000,
        "minimum": None,
        "budget": "9.50",
    }


def test_a_campaign_may_only_be_stricter_than_its_role():
    allowed = DEFAULT_LIMITS[Role.STAFF]
    check_not_looser({"growth_percent": 50, "minimum": 5, "budget": "3"}, allowed)
    with pytest.raises(InvalidInput) as refusal:
        check_not_looser({"growth_percent": 101, "ceiling": None}, allowed)
    assert set(refusal.value.fields) == {"growth_percent", "ceiling"}


limits_drawn = st.builds(
    GuardLimits,
    growth_percent=st.none() | st.integers(0, 3_000),
    growth_people=st.none() | st.integers(0, 500),
    ceiling=st.none() | st.integers(0, 1_000),
    fall_percent=st.none() | st.integers(0, 100),
    fall_stops=st.booleans(),
    minimum=st.none() | st.integers(0, 500),
)


@given(limits_drawn, st.integers(0, 1_000), st.integers(0, 1_000), st.integers(0, 200))
def test_more_growth_never_makes_a_stop_for_growth_go_away(limits, before, grown, more):
    loose = GuardLimits(
        growth_percent=limits.growth_percent,
        growth_people=limits.growth_people,
        ceiling=limits.ceiling,
    )
    if verdict(loose, before, before + grown).stops:
        assert verdict(loose, before, before + grown + more).stops


@given(limits_drawn, st.integers(0, 1_000), st.integers(0, 1_000))
def test_each_limit_means_what_it_says(limits, before, after):
    grown, fallen = after - before, before - after
    expected = [
        before > 0
        and limits.growth_percent is not None
        and Fraction(grown * 100, before) > limits.growth_percent,
        limits.growth_people is not None and grown > limits.growth_people,
        limits.ceiling is not None and after > limits.ceiling,
        limits.minimum is not None and after < limits.minimum,
        before > 0
        and limits.fall_stops
        and limits.fall_percent is not None
        and fallen > 0
        and Fraction(fallen * 100, before) > limits.fall_percent,
    ]
    assert len(verdict(limits, before, after).blockers) == sum(expected)
