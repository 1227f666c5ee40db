"""The Flask extensions that know a request, unbound: CSRF, log-in, rate limits."""

from flask import Flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager
from flask_wtf import CSRFProtect
from limits.storage import MemoryStorage

csrf = CSRFProtect()
limiter = Limiter(get_remote_address)
login_manager = LoginManager()


def bind_extensions(app: Flask) -> None:
    """Bind them to the application.

    CSRF is checked by `access.guard_request`, which knows what needs it; the limits come
    first, so that a request refused for its CSRF token counts as a try too.
    """
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False
    csrf.init_app(app)
    limiter.init_app(app)
    if isinstance(limiter.storage, MemoryStorage):
        # It starts its clean-up at once, in a thread that a command would wait for at its end:
        # for ever under libfaketime. The first try that is counted starts it again.
        limiter.storage.timer.cancel()
    # The context processor would ask for the user on every page, an error page's too.
    login_manager.init_app(app, add_context_processor=False)
