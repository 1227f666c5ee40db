"""POST again with the same key: the answer that was given, and nothing done twice.

The key is reserved in a transaction of its own before the work begins, and the answer is stored
in another one after it. A crash in between leaves a key that is reserved and has no answer.
Nobody can know then whether the work was done, so it is never done again under that key: the
caller is told to look, and to use a new key if nothing has happened.
"""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from rollcall import clock
from rollcall.errors import Conflict, InvalidInput
from rollcall.extensions import db, write
from rollcall.models import IdempotencyRecord

LONGEST_KEY = 200


def reserve_key(organisation_id: int, key: str, request_hash: str) -> IdempotencyRecord | None:
    """Reserve the key for this request, or return the record with the answer it got before.

    Raises InvalidInput for a key that can't be used or that came with another request, and
    Conflict while the first request is being worked on, or was broken off.
    """
    if not 1 <= len(key) <= LONGEST_KEY or not _is_plain(key):
        raise InvalidInput(
            {"Idempotency-Key": f"Use 1 to {LONGEST_KEY} plain letters, digits and signs."}
        )
    try:
        with write():
            db.session.add(
                IdempotencyRecord(
                    organisation_id=organisation_id,
                    key=key,
                    request_hash=request_hash,
                    created_at=clock.now(),
                )
            )
    except IntegrityError:
        return _answered(organisation_id, key, request_hash)
    return None


def _is_plain(key: str) -> bool:
    # A blank is no sign here: at either end a server on the way may drop it.
    return key.isascii() and key.isprintable() and " " not in key


def store_answer(
    organisation_id: int, key: str, status: int, body: Mapping[str, str | None]
) -> None:
    """Keep the answer to the request that reserved the key."""
    with write():
        db.session.execute(
            sa.update(IdempotencyRecord)
            .where(*_is(organisation_id, key))
            .values(status=status, body=dict(body))
            .execution_options(synchronize_session=False)
        )


def release_key(organisation_id: int, key: str) -> None:
    """Forget a key whose request was refused before it changed anything."""
    with write():
        db.session.execute(
            sa.delete(IdempotencyRecord)
            .where(*_is(organisation_id, key), IdempotencyRecord.status.is_(None))
            .execution_options(synchronize_session=False)
        )


def _answered(organisation_id: int, key: str, request_hash: str) -> IdempotencyRecord:
    record = db.session.scalar(sa.select(IdempotencyRecord).where(*_is(organisation_id, key)))
    if record is None:
        raise Conflict("Another request with this Idempotency-Key has just ended: send it again.")
    if record.request_hash != request_hash:
        raise InvalidInput(
            {"Idempotency-Key": "This key came with another request; use a new one for this."}
        )
    if record.status is None:
        raise Conflict(
            "The first request with this Idempotency-Key is still being worked on, or was broken "
            "off. Look whether it took effect; if it did not, send it with a new key."
        )
    return record


def _is(organisation_id: int, key: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (IdempotencyRecord.organisation_id == organisation_id, IdempotencyRecord.key == key)
