"""A line to a mail server: where it is, how it is opened, and what a failure to open it means."""

import contextlib
import smtplib
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from rollcall.providers.base import ProviderError
from rollcall.providers.smtp.answers import SETTINGS, refused_line, refused_login

UNUSABLE = "settings"

_TLS_CHOICES = ("offered", "required", "never")
_PORTS = {"smtp": 25, "smtps": 465}


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where the mail server is and how we speak with it, as SMTP_URL says."""

    host: str
    port: int
    tls_at_once: bool
    tls: str
    user: str
    password: str


def read_url(url: str) -> MailServer:
    """Return what SMTP_URL says; raises ValueError with a sentence for whoever wrote it."""
    example = "smtp://user:password@mail.example.org:587"
    if not url:
        raise ValueError(f"SMTP_URL is not set. Write the mail server as {example}.")
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
        host = parts.hostname or ""
    except (ValueError, KeyError):
        host, port = "", 0
        parts = urlsplit("")
    if not host:
        raise ValueError(f"SMTP_URL is not the address of a mail server. Write it as {example}.")
    tls = parse_qs(parts.query).get("tls", ["offered"])[-1]
    if tls not in _TLS_CHOICES:
        raise ValueError(f"SMTP_URL: tls must be one of {', '.join(_TLS_CHOICES)}, not {tls!r}.")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return MailServer(host, port, parts.scheme == "smtps", tls, user, password)


def open_line(server: MailServer, timeout: float) -> smtplib.SMTP:
    """Return a line that was greeted, encrypted as the settings ask, and logged in.

    Raises ProviderError, always for the provider as a whole: no message was named yet.
    """
    smtp: smtplib.SMTP | None = None
    try:
        if server.tls_at_once:
            secure = ssl.create_default_context()
            smtp = smtplib.SMTP_SSL(
                server.host, server.port, "localhost", timeout=timeout, context=secure
            )
        else:
            smtp = smtplib.SMTP(server.host, server.port, "localhost", timeout=timeout)
        _greet(smtp)
        if not server.tls_at_once:
            _encrypt(smtp, server)
        if server.user:
            smtp.login(server.user, server.password)
        return smtp
    except (OSError, ProviderError, UnicodeError) as error:
        if smtp is not None:
            smtp.close()
        raise _opening_error(server, error) from error


def _greet(smtp: smtplib.SMTP) -> None:
    assert smtp.sock is not None
    # The dot that ends a mail travels by itself and must not wait for the content's receipt.
    smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    own = smtp.sock.getsockname()[0]
    # Our own address rather than a name: to find the name takes a lookup that nobody limits.
    smtp.local_hostname = f"[IPv6:{own}]" if ":" in own else f"[{own}]"
    smtp.ehlo_or_helo_if_needed()


def _encrypt(smtp: smtplib.SMTP, server: MailServer) -> None:
    local = smtp.sock is not None and smtp.sock.getpeername()[0] in ("127.0.0.1", "::1")
    offered = server.tls != "never" and smtp.has_extn("starttls")
    # A password goes over an open line only on this very machine, or where the settings say so.
    needed = server.tls == "required" or bool(server.user and server.tls == "offered" and not local)
    if offered:
        secure = ssl.create_default_context()
        if not needed:
            # Against listening in it helps all the same, and most servers inside a house have
            # a certificate that nobody can check.
            secure.check_hostname = False
            secure.verify_mode = ssl.CERT_NONE
        try:
            smtp.starttls(context=secure)
        except smtplib.SMTPResponseException:
            # It offers what it can't do at present; the line itself is still good.
            if needed:
                raise
            return
        _greet(smtp)
        return
    if needed:
        text = (
            "The mail server offers no encryption (STARTTLS), so nothing is sent to it. Use "
            "smtps://, or add ?tls=never to SMTP_URL if the way to it is safe."
        )
        raise ProviderError("tls", text, provider_wide=True)


def _opening_error(server: MailServer, error: Exception) -> ProviderError:
    if isinstance(error, ProviderError):
        return error
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return refused_login((error.smtp_code, _words(error)))
    if isinstance(error, smtplib.SMTPResponseException):
        return refused_line((error.smtp_code, _words(error)))
    if isinstance(error, smtplib.SMTPNotSupportedError):
        text = "The mail server offers no log-in that we know; take the user name out of SMTP_URL."
        return ProviderError("login", text, provider_wide=True)
    if isinstance(error, ssl.SSLCertVerificationError):
        text = f"The mail server's certificate can't be trusted: {error.verify_message}. {SETTINGS}"
        return ProviderError("tls", text, provider_wide=True)
    if isinstance(error, UnicodeError):
        text = "SMTP_URL: the host, user name and password must be plain ASCII."
        return ProviderError(UNUSABLE, text, provider_wide=True)
    text = f"The mail server {server.host}:{server.port} can't be reached: {error}. {SETTINGS}"
    return ProviderError("unreachable", text, permanent=False, provider_wide=True)


def _words(error: smtplib.SMTPResponseException) -> bytes:
    words = error.smtp_error
    return words if isinstance(words, bytes) else str(words).encode()


def end_line(smtp: smtplib.SMTP) -> None:
    """Take leave of the server, whatever state the line is in, and close it."""
    with contextlib.suppress(OSError):
        if smtp.sock is not None:
            smtp.sock.settimeout(1)
        smtp.quit()
    smtp.close()
