"""The HTTP API: the same verbs as the browser's, for programs with a token."""

from apiflask import APIFlask

from blueprints.api import (
    audience,
    audit,
    campaigns,
    doubts,
    events,
    explanations,
    imports,
    inbox,
    installation,
    people,
    plans,
    reference,
    rehearsals,
    segment_comparison,  # noqa: F401 (adds its calls to segments)
    segments,
    trying,
)
from blueprints.api.description import register_description

SUBJECTS = (
    audience.api,
    audit.api,
    campaigns.api,
    doubts.api,
    events.api,
    explanations.api,
    imports.api,
    inbox.api,
    installation.api,
    people.api,
    plans.api,
    rehearsals.api,
    segments.api,
    trying.api,
)


def register_api(app: APIFlask) -> None:
    """Add the API's calls and its description to the application."""
    register_description(app)
    for subject in SUBJECTS:
        app.register_blueprint(subject)
    app.register_blueprint(reference.pages)
