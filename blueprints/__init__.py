"""HTTP: a view checks who asks, reads the request, calls one verb, and renders or redirects."""

from apiflask import APIFlask

from blueprints import (
    alerts,
    audit,
    auth,
    campaigns,
    events,
    home,
    imports,
    inbox,
    invitations,
    limits,
    links,
    notices,
    organisation,
    outbox,
    people,
    plans,
    profile,
    providers,
    restored,
    segments,
    staff,
    tokens,
    unsubscribe,
    webhooks,
)
from blueprints.access import enforce_access
from blueprints.addresses import IdConverter
from blueprints.api import register_api
from blueprints.errors import register_error_handlers
from blueprints.extensions import bind_extensions
from blueprints.navigation import register_page_context
from blueprints.security import register_security_headers

PAGES = (
    alerts.pages,
    audit.pages,
    auth.pages,
    campaigns.pages,
    events.pages,
    home.pages,
    imports.pages,
    inbox.pages,
    invitations.pages,
    limits.pages,
    links.pages,
    notices.pages,
    organisation.pages,
    outbox.pages,
    people.pages,
    plans.pages,
    profile.pages,
    providers.pages,
    restored.pages,
    segments.pages,
    staff.pages,
    tokens.pages,
    unsubscribe.pages,
    webhooks.pages,
)


def register(app: APIFlask) -> None:
    """Add every page and endpoint to the application.

    Raises UndeclaredRoute when one of them does not say who may use it.
    """
    bind_extensions(app)
    register_page_context(app)
    register_error_handlers(app)
    register_security_headers(app)
    app.url_map.converters["int"] = IdConverter
    for pages in PAGES:
        app.register_blueprint(pages)
    register_api(app)
    enforce_access(app)
