"""What comes over a provider's own session (SMPP): the same verbs as behind the webhooks."""

import structlog
from flask import Flask

from rollcall.extensions import db
from rollcall.providers.base import Inbound, Receipt, Sink
from rollcall.sending.inbound import receive_inbound
from rollcall.sending.receipts import store_receipt

log = structlog.get_logger()


def session_sink(app: Flask, provider_name: str) -> Sink:
    """Return what a provider's `listen` hands receipts and inbound messages to.

    A session carries no answer back, so that what a webhook would reply (to HELP, to a stop) is
    not sent, and an opt-out does not wait for the wire: the thread that reads the session may be
    the very one that has a message on the wire. What can't be stored is logged and raised, so
    that the provider can refuse it and the SMSC delivers it again.
    """

    def take(thing: Receipt | Inbound) -> None:
        with app.app_context():
            try:
                if isinstance(thing, Receipt):
                    store_receipt(provider_name, thing)
                else:
                    receive_inbound(provider_name, thing)
            except Exception as error:
                log.error("can't store what came in", provider=provider_name, error=repr(error))
                raise
            finally:
                db.session.remove()

    return take
