"""`Idempotency-Key` on POST: what was answered once is answered again, and not done again."""

import hashlib

from flask import Response, current_app, g, request

from blueprints.access import current_actor
from rollcall.accounts.idempotency import release_key, reserve_key, store_answer

HEADER = "Idempotency-Key"
REPLAY_HEADER = "Idempotent-Replay"


def replay_or_reserve() -> Response | None:
    """Return the answer given before to this request, or reserve its key and let it go on."""
    key = request.headers.get(HEADER)
    if key is None or request.method != "POST":
        return None
    organisation_id = current_actor().organisation_id
    record = reserve_key(organisation_id, key, _hash_request())
    if record is None:
        g.idempotency_key = key
        return None
    response = current_app.response_class(
        record.body["text"], status=record.status, mimetype="application/json"
    )
    response.headers[REPLAY_HEADER] = "true"
    if record.body["location"]:
        response.headers["Location"] = record.body["location"]
    return response


def keep_answer(response: Response) -> Response:
    """Store the answer under the key that the request reserved.

    A refusal (4xx) changed nothing, so that its key is free for the request when it is mended.
    After an error of ours nobody knows what was done: the key stays reserved.
    """
    key = g.pop("idempotency_key", None)
    if key is None:
        return response
    organisation_id = current_actor().organisation_id
    if response.status_code < 400:
        body = {"text": response.get_data(as_text=True), "location": response.location}
        store_answer(organisation_id, key, response.status_code, body)
    elif response.status_code < 500:
        release_key(organisation_id, key)
    return response


def _hash_request() -> str:
    digest = hashlib.sha256(f"{request.method} {request.full_path}\n".encode())
    digest.update(request.get_data())
    return digest.hexdigest()
