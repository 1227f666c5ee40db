"""How a request proves from whom it is: made for ours, looked at in the gateway's."""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Mapping

from rollcall.providers.http.file import Proof


def prove(proof: Proof, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    """Return the header that proves a request; `headers` are the others, names in lower case.

    For a digest over a query, `url` holds it.
    """
    if proof.kind == "basic":
        log_in = f"{proof.username}:{proof.password}".encode()
        return {proof.header: "Basic " + b64encode(log_in).decode("ascii")}
    if proof.kind == "bearer":
        return {proof.header: f"Bearer {proof.token}"}
    if proof.kind == "header":
        return {proof.header: proof.value}
    return {proof.header: _sign(proof, url, headers, body)}


def is_proved(proof: Proof, url: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether a request carries the proof."""
    [(name, wanted)] = prove(proof, url, headers, body).items()
    given = headers.get(name.lower(), "")
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode("utf-8", "replace"))


def _sign(proof: Proof, url: str, headers: Mapping[str, str], body: bytes) -> str:
    parts = {"body": body, "url": url.encode("utf-8", "replace")}
    signed = b"".join(
        parts[part]
        if part in parts
        else headers.get(part.removeprefix("header:").lower(), "").encode("utf-8", "replace")
        for part in proof.over
    )
    digest = hmac.new(proof.secret.encode(), signed, getattr(hashlib, proof.digest)).digest()
    written = digest.hex() if proof.encoding == "hex" else b64encode(digest).decode("ascii")
    return proof.prefix + written
