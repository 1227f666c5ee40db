"""Twilio's signature of a request, after its documents on "Webhooks security"."""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Iterable, Sequence
from urllib.parse import SplitResult, parse_qs, urlsplit

_PORTS = {"http": 80, "https": 443}


def sign_request(auth_token: str, url: str, fields: Iterable[tuple[str, str]] = ()) -> str:
    """Return the signature of a request: HMAC-SHA1, in Base64, of the address and the fields.

    The fields follow the address without anything between, each name with its value, sorted by
    both. One that comes several times with the same value counts once.
    """
    text = url + "".join(name + value for name, value in sorted(set(fields)))
    digest = hmac.new(_octets(auth_token), _octets(text), hashlib.sha1).digest()
    return b64encode(digest).decode("ascii")


def is_signed(
    auth_token: str,
    url: str,
    signature: str,
    fields: Sequence[tuple[str, str]] = (),
    body: bytes | None = None,
) -> bool:
    """Return whether Twilio itself sent this request to this address.

    `url` is the whole address as Twilio was told it: PUBLIC_URL, path and query. Twilio signs it
    with the port or without, so that either is right. `fields` are those of a form; any other
    `body` is vouched for by its SHA-256 in the address (bodySHA256), and without that by nothing.
    """
    # An empty token would be a key that everybody knows.
    if not auth_token or not signature:
        return False
    if body and not _is_vouched_for(url, body):
        return False
    given = _octets(signature)
    found = [
        hmac.compare_digest(given, sign_request(auth_token, form, fields).encode())
        for form in _with_and_without_port(url)
    ]
    return any(found)


def _is_vouched_for(url: str, body: bytes) -> bool:
    named = parse_qs(urlsplit(url).query).get("bodySHA256", [""])[0]
    return hmac.compare_digest(hashlib.sha256(body).hexdigest().encode(), _octets(named))


def _with_and_without_port(url: str) -> list[str]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        return [url]
    bare = parts.netloc.removesuffix(f":{port}") if port else parts.netloc
    usual = port or _PORTS.get(parts.scheme, 80)
    return [_write(parts, bare), _write(parts, f"{bare}:{usual}")]


def _write(parts: SplitResult, netloc: str) -> str:
    return parts._replace(netloc=netloc).geturl()


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "replace")
