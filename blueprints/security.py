"""The response headers that keep pages safe: nothing inline, nothing from or to elsewhere."""

from flask import Flask, Response, current_app, request

from rollcall.config import Settings

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",  # Pico's stylesheet draws its small icons as data: images.
        "script-src 'self'",
        "style-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
ONE_YEAR = 365 * 24 * 60 * 60


def register_security_headers(app: Flask) -> None:
    """Send the headers with every response."""
    app.after_request(add_security_headers)


def add_security_headers(response: Response) -> Response:
    """Add the headers that a response does not set itself.

    What is not a static file may show people's data, so no browser or proxy keeps it. Static
    files are asked for again by their ETag, those with a version in their path never.
    """
    settings: Settings = current_app.extensions["rollcall"]
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if settings.public_url.startswith("https://"):
        response.headers.setdefault("Strict-Transport-Security", f"max-age={ONE_YEAR}")
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    elif response.status_code == 200 and request.path.startswith("/static/vendor/"):
        response.headers["Cache-Control"] = f"public, max-age={ONE_YEAR}, immutable"
    return response
