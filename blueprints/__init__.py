"""HTTP: a view checks who asks, reads the request, calls one verb, and renders or redirects."""

from apiflask import APIFlask


def register(app: APIFlask) -> None:
    """Add every page and endpoint to the application."""
