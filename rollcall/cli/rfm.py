"""`flask rfm`: scores from purchases."""

from rollcall.audience.rfm import compute_rfm
from rollcall.cli.common import acting, acting_options, command_group, emit, json_option
from rollcall.wording import say_people


@command_group("rfm")
def rfm_commands() -> None:
    """Recency, frequency and monetary scores of everybody who bought anything."""


@rfm_commands.command("compute")
@acting_options
@json_option
def compute(org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """Compute the scores anew from all purchases."""
    people = compute_rfm(acting(org_slug, as_email))
    emit({"people": people}, as_json, f"Scored {say_people(people)}.")
