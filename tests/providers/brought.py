"""What gateways bring, as values: requests to a provider's declared routes."""

from typing import Any
from urllib.parse import urlencode

from rollcall.providers.declaration import Declaration
from rollcall.providers.webhooks import Events, Route, WebhookRequest

PUBLIC = "https://rollcall.example.org"


def route_of(declaration: Declaration, name: str) -> Route:
    """The route of that name, which is there."""
    route = declaration.route(name)
    assert route is not None, f"{declaration.name} has no route {name}"
    return route


def bring(
    declaration: Declaration,
    name: str,
    settings: Any,
    *,
    method: str = "POST",
    query: str = "",
    form: dict[str, str] | None = None,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    **path: str,
) -> Events:
    """What a request to the route tells; raises what the route does for one that tells nothing."""
    route = route_of(declaration, name)
    given = {name.lower(): value for name, value in (headers or {}).items()}
    if form is not None:
        given.setdefault("content-type", "application/x-www-form-urlencoded")
        body = urlencode(form).encode()
    place = route.path.replace("<secret>", "s")
    for part, value in path.items():
        place = place.replace(f"<{part}>", value)
    url = f"{PUBLIC}/webhooks/{declaration.name}{place}{f'?{query}' if query else ''}"
    assert method in route.methods
    return route.read(WebhookRequest(method, url, path, query.encode(), given, body, settings))
