"""What gateways bring: delivery receipts, and what people send to our numbers.

The addresses are those that the providers declare, each under its name. Whatever does not prove
that it is from the gateway, and whatever is about a message that this installation did not send,
is refused and changes nothing.
"""

from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any

import structlog
from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import BadRequest

from blueprints.access import signed
from rollcall.config import Settings
from rollcall.errors import NotAllowed
from rollcall.providers.declaration import Declaration
from rollcall.providers.registry import DECLARATIONS
from rollcall.providers.webhooks import NotGenuine, Route, Unreadable, WebhookRequest
from rollcall.sending.references import is_webhook_secret
from rollcall.sending.webhooks import store_events

log = structlog.get_logger()

pages = Blueprint("webhooks", __name__, url_prefix="/webhooks")

LARGEST_BODY = 64 * 1024


def _take(declaration: Declaration, route: Route, **path: str) -> Response:
    """Take in what a provider brings to one of its routes, and answer as it expects."""
    secret = path.pop("secret", None)
    if secret is not None and not is_webhook_secret(secret):
        raise NotAllowed("This is not the secret of this installation.")
    try:
        events = route.read(_describe_request(declaration, path))
    except NotGenuine as refusal:
        raise NotAllowed(str(refusal)) from refusal
    except Unreadable as refusal:
        raise BadRequest(str(refusal)) from refusal
    if events.unread:
        log.warning("can't read what came in", provider=declaration.name, reason=events.unread)
    answer = events.answer(store_events(declaration.name, events))
    response = current_app.response_class(answer.body, content_type=answer.content_type)
    response.headers.update(answer.headers)
    return response


def _describe_request(declaration: Declaration, path: dict[str, str]) -> WebhookRequest:
    """Return the request as a value; raises 413 for a body larger than any message."""
    settings: Settings = current_app.extensions["rollcall"]
    request.max_content_length = LARGEST_BODY
    query = request.query_string.decode("latin-1")
    return WebhookRequest(
        method=request.method,
        url=f"{settings.public_url}{request.path}{f'?{query}' if query else ''}",
        path=path,
        query=request.query_string,
        headers={name.lower(): value for name, value in request.headers.items()},
        body=request.get_data(cache=True, parse_form_data=False),
        settings=settings.providers.of(declaration.settings),
    )


def _view_of(declaration: Declaration, route: Route) -> Callable[..., Any]:
    view = partial(_take, declaration, route)
    return signed(update_wrapper(view, _take))


for _declaration in DECLARATIONS.values():
    for _route in _declaration.routes:
        pages.add_url_rule(
            f"/{_declaration.name}{_route.path}",
            endpoint=f"{_declaration.name}_{_route.name}",
            view_func=_view_of(_declaration, _route),
            methods=list(_route.methods),
        )
