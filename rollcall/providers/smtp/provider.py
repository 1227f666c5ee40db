"""E-mail through a mail server: one kept line, and the exact moment when a mail left our hands.

SMTP has one gap: once the dot that ends a mail is on its way, a line that breaks leaves open
whether the server took the mail. Up to that dot nothing was accepted, by RFC 5321. So a mail
goes out in two writes, all of it and then the dot, and each failure is told by the side of the
dot that it falls on.
"""

import re
import select
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from rollcall import clock
from rollcall.messages.mail import MailLayout, lay_out_mail, wire_address
from rollcall.providers.base import Finding, Outcome, OutgoingMessage, ProviderError
from rollcall.providers.declaration import Declaration, Provider
from rollcall.providers.settings import setting
from rollcall.providers.smtp.answers import (
    CLOSING,
    LOST,
    Reply,
    lost_after_end,
    lost_before_end,
    refused_mail,
    refused_recipient,
    refused_sender,
)
from rollcall.providers.smtp.line import UNUSABLE, MailServer, end_line, open_line, read_url

CHECK_SECONDS = 5.0

_IDLE_SECONDS = 30.0
_END = b".\r\n"
_QUEUED = re.compile(r"queued as <?([A-Za-z0-9._@-]+)|\bid=([A-Za-z0-9._@-]+)", re.IGNORECASE)
_STAGES: tuple[Callable[[Reply], ProviderError], ...] = (
    refused_sender,
    refused_recipient,
    refused_mail,
)


@dataclass(frozen=True)
class SmtpSettings:
    """A mail server as smtp://user:password@host:port or smtps://…"""

    url: str = setting(
        "SMTP_URL",
        "`smtp://user:password@host:587`, or `smtps://…` for TLS from the first byte (port 465). "
        "Without a port: 25 and 465. In the user name and password, `@` is written as `%40`, `/` "
        "as `%2F`, `%` as `%25`",
    )
    sender: str = setting(
        "SMTP_FROM",
        "`news@example.org` or `News <news@example.org>`. An organisation's own sender name takes "
        "the place of the name",
    )


class SmtpProvider(Provider):
    """Hands each e-mail to one mail server, over one line for each connection."""

    together = 16

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings

    @cached_property
    def _server(self) -> MailServer:
        return read_url(self._settings.url)

    @property
    def host(self) -> str | None:
        """The machine on which the mail server listens."""
        try:
            return self._server.host
        except ValueError:
            return None

    def connect(self, timeout: float) -> "SmtpConnection":
        """Return a line that is opened with the first message."""
        try:
            return SmtpConnection(self._server, self._settings.sender, timeout)
        except ValueError as error:
            return SmtpConnection(str(error), self._settings.sender, timeout)

    def missing(self) -> list[str]:
        """Return which settings are missing or unusable, one sentence each."""
        found = []
        try:
            lay_out_mail(self._settings.sender, "", "")
        except ValueError:
            found.append(_wrong_sender(self._settings.sender))
        try:
            read_url(self._settings.url)
        except ValueError as error:
            found.append(str(error))
        return found

    def check(self) -> list[Finding]:
        """Look whether the settings are complete, and greet the server and log in."""
        findings = []
        try:
            sender = lay_out_mail(self._settings.sender, "", "").sender
            findings.append(Finding(True, f"E-mails come from {sender}."))
        except ValueError:
            findings.append(Finding(False, _wrong_sender(self._settings.sender)))
        try:
            server = self._server
        except ValueError as error:
            return [*findings, Finding(False, str(error))]
        try:
            smtp = open_line(server, CHECK_SECONDS)
        except ProviderError as error:
            return [*findings, Finding(False, error.text)]
        encrypted = isinstance(smtp.sock, ssl.SSLSocket)
        end_line(smtp)
        who = f" and accepts the user {server.user}" if server.user else ""
        how = "over TLS" if encrypted else "without encryption"
        reached = f"The mail server {server.host}:{server.port} answers {how}{who}."
        return [*findings, Finding(True, reached)]


class SmtpConnection:
    """One line to the mail server, kept open from call to call."""

    def __init__(self, server: MailServer | str, sender: str, timeout: float) -> None:
        self._server = server
        self._sender = sender
        self._timeout = timeout
        self._smtp: smtplib.SMTP | None = None
        self._used_at = 0.0

    def close(self) -> None:
        """Take leave of the server."""
        if self._smtp is not None:
            end_line(self._smtp)
            self._smtp = None

    def send(self, messages: Sequence[OutgoingMessage]) -> Iterator[Outcome]:
        """Try each message once, in order.

        When the server as a whole fails, or leaves a second message in doubt, the rest is not
        tried any more: better a few that wait than a whole batch in doubt.
        """
        rest: ProviderError | None = None
        doubts = 0
        for message in messages:
            outcome = self._try(message) if rest is None else Outcome(message.token, error=rest)
            error = outcome.error
            if error is not None and rest is None:
                doubts += error.in_doubt
                if error.provider_wide:
                    rest = error
                elif error.in_doubt and (doubts > 1 or _is_timeout(error.__cause__)):
                    rest = lost_before_end(ConnectionError("it left an earlier mail in doubt"))
            yield outcome

    def _try(self, message: OutgoingMessage) -> Outcome:
        try:
            return Outcome(message.token, provider_message_id=self._deliver(message))
        except ProviderError as error:
            return Outcome(message.token, error=error)

    def _deliver(self, message: OutgoingMessage) -> str:
        layout, mail, envelope = self._compose(message)
        smtp = self._begin(envelope)
        reply = self._hand_over(smtp, mail)
        if reply[0] == CLOSING:
            self._drop()
        if reply[0] // 100 in (4, 5):
            raise refused_mail(reply)
        if reply[0] // 100 != 2:
            self._drop()
            raise lost_after_end(ConnectionError(f"its answer was {reply[0]}"))
        found = _QUEUED.search(reply[1].decode("utf-8", "replace"))
        queued = found and (found[1] or found[2])
        return queued or layout.message_id(message.reference or str(message.token))

    def _compose(self, message: OutgoingMessage) -> tuple[MailLayout, bytes, list[bytes]]:
        """Return the layout, the mail with its dots doubled, and the commands that announce it."""
        try:
            layout = lay_out_mail(self._sender, message.sender_name, message.postal_address)
        except ValueError as error:
            text = _wrong_sender(self._sender)
            raise ProviderError(UNUSABLE, text, provider_wide=True) from error
        try:
            address = wire_address(message.address)
        except ValueError as error:
            text = "The address is not one that a mail server takes. Correct it in the profile."
            raise ProviderError("address", text) from error
        mail = layout.fill_in(
            address=address,
            subject=message.subject,
            text=message.text,
            reference=message.reference or str(message.token),
            unsubscribe_url=message.unsubscribe_url,
            at=clock.now(),
        )
        international = "" if (layout.sender + address).isascii() else " SMTPUTF8"
        return (
            layout,
            mail.replace(b"\r\n.", b"\r\n.."),
            [
                f"MAIL FROM:<{layout.sender}>{international}\r\n".encode(),
                f"RCPT TO:<{address}>\r\n".encode(),
                b"DATA\r\n",
            ],
        )

    def _begin(self, envelope: list[bytes]) -> smtplib.SMTP:
        """Bring the server to where it waits for content.

        A line that the server has meanwhile ended, for its age or after so many mails, is
        opened once more: nothing of this mail was accepted on it.
        """
        if self._smtp is not None and time.monotonic() - self._used_at > _IDLE_SECONDS:
            self.close()
        kept = self._smtp is not None
        try:
            return self._announce(envelope)
        except ProviderError as error:
            ended = error.code in (LOST, str(CLOSING)) and not _is_timeout(error.__cause__)
            if not (kept and ended):
                raise
        return self._announce(envelope)

    def _announce(self, envelope: list[bytes]) -> smtplib.SMTP:
        smtp = self._smtp = self._smtp or self._open()
        self._used_at = time.monotonic()
        # Without waiting in between where the server offers it (RFC 2920): one journey, not three.
        at_once = smtp.has_extn("pipelining")
        replies: list[Reply] = []
        try:
            if b"SMTPUTF8" in envelope[0] and not smtp.has_extn("smtputf8"):
                raise refused_sender((550, b"5.6.7 It does not offer SMTPUTF8"))
            if at_once:
                smtp.send(b"".join(envelope))
            for command in envelope:
                if not at_once:
                    smtp.send(command)
                replies.append(smtp.getreply())
                if replies[-1][0] == CLOSING or (not _is_good(replies) and not at_once):
                    break
        except OSError as error:
            self._drop()
            if all(_is_good(replies[: count + 1]) for count in range(len(replies))):
                raise lost_before_end(error) from error
        for count, reply in enumerate(replies):
            if not _is_good(replies[: count + 1]):
                self._step_back(replies)
                raise _judge(count, reply)
        return smtp

    def _open(self) -> smtplib.SMTP:
        if isinstance(self._server, str):
            raise ProviderError(UNUSABLE, self._server, provider_wide=True)
        return open_line(self._server, self._timeout)

    def _step_back(self, replies: list[Reply]) -> None:
        """Leave the refused mail, so that the line can be used for the next one."""
        smtp = self._smtp
        # A server that waits for content, though it refused the recipient, is given none.
        waits = len(replies) == len(_STAGES) and replies[-1][0] // 100 == 3
        if smtp is None or waits or replies[-1][0] == CLOSING:
            self._drop()
            return
        try:
            code, _ = smtp.docmd("RSET")
        except OSError:
            code = -1
        if code != 250:
            self._drop()

    def _hand_over(self, smtp: smtplib.SMTP, mail: bytes) -> Reply:
        """Write the content, then the dot, and return the server's answer to the whole mail."""
        line = smtp.sock
        assert line is not None
        try:
            line.sendall(mail)
            if _has_spoken(line):
                # It gave up in the middle of the content. Without the dot the mail never was.
                reply = smtp.getreply()
                self._drop()
                if reply[0] // 100 in (4, 5):
                    return reply
                raise ConnectionError(f"it answered {reply[0]} in the middle of the mail")
        except OSError as error:
            self._drop()
            raise lost_before_end(error) from error
        try:
            line.sendall(_END)
            return smtp.getreply()
        except OSError as error:
            self._drop()
            raise lost_after_end(error) from error

    def _drop(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None


def _is_good(replies: list[Reply]) -> bool:
    """Return whether the last of the replies to MAIL, RCPT and DATA is a yes."""
    return replies[-1][0] // 100 == (3 if len(replies) == len(_STAGES) else 2)


def _judge(stage: int, reply: Reply) -> ProviderError:
    if reply[0] == CLOSING or reply[0] // 100 not in (4, 5):
        return ProviderError(
            str(reply[0]),
            f"The mail server ended the conversation: {reply[1].decode('utf-8', 'replace')}.",
            permanent=False,
            provider_wide=True,
        )
    return _STAGES[stage](reply)


def _has_spoken(line: socket.socket) -> bool:
    """Return whether the server said something or hung up while it should have listened."""
    if isinstance(line, ssl.SSLSocket):
        # What lies there may be TLS's own (session tickets), which is no answer.
        return False
    return bool(select.select([line], [], [], 0)[0])


def _is_timeout(error: BaseException | None) -> bool:
    # smtplib wraps what the socket says into an error of its own.
    return isinstance(error, TimeoutError) or isinstance(error and error.__context__, TimeoutError)


def _wrong_sender(sender: str) -> str:
    if not sender:
        return "SMTP_FROM is not set. Write the address that e-mails come from."
    return f"SMTP_FROM is not an e-mail address: {sender}. Write it as Name <name@example.org>."


DECLARATION = SmtpProvider.declaration = Declaration(
    name="smtp",
    label="Mail server (SMTP)",
    channels=("email",),
    settings=SmtpSettings,
    make=lambda settings, _folder: SmtpProvider(settings),
    proves_refusal=(
        "The server's name is not found, or it refuses the connection.",
        "An answer of 4xx or 5xx at any point, after the content too.",
        "The line breaks or nothing is answered before the final dot was sent.",
    ),
    leaves_doubt=("The line breaks or nothing is answered once the final dot was sent.",),
    receipts="none",
)
