"""What every blueprint of the API has in common: its address and what goes around each call."""

from apiflask import APIBlueprint

from blueprints.api.idempotency import keep_answer, replay_or_reserve

PREFIX = "/api/v1"


def api_blueprint(name: str, subject: str) -> APIBlueprint:
    """Return a blueprint of the API, described under a subject such as "People"."""
    blueprint = APIBlueprint(f"api_{name}", __name__, tag=subject, url_prefix=PREFIX)
    blueprint.before_request(replay_or_reserve)
    blueprint.after_request(keep_answer)
    return blueprint
