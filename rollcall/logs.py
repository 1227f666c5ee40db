"""Structured logs, one JSON object a line, without phone numbers or e-mail addresses."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog

# Long runs of digits and anything with an @ are taken out, in whatever field they come:
# an exception's text may quote a row, and logs outlive an erasure. A word is read from its
# beginning only, or from behind a digit, where a phone may have ended: from each letter of it, a
# long word would take the square of its length.
_IN_WORD = r"[^\s<>\"'(),;:=]"
_PERSONAL = re.compile(
    r"\+?\d[\d\s().-]{7,}\d"
    rf"|(?:(?<!{_IN_WORD}){_IN_WORD}+|(?<=\d){_IN_WORD}{{1,64}})@[^\s<>\"'(),;:]+"
)
_KEPT = ("timestamp", "level")


def configure() -> None:
    """Send every log line through structlog to stderr."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            remove_personal_data,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=cast(TextIO, _Stderr())),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    if not root.handlers:
        # What libraries log: plain lines, cleaned in the same way.
        handler = logging.StreamHandler(_Stderr())
        handler.setFormatter(_CleanFormatter("%(levelname)s %(name)s: %(message)s"))
        root.addHandler(handler)


class _CleanFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return _PERSONAL.sub("[removed]", super().format(record))


class _Stderr:
    """Today's stderr, looked up at each line, so that a redirected one is honoured."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def remove_personal_data(
    _logger: Any, _method: str, fields: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replace what looks like a phone number or an e-mail address, in every field's text."""
    return {name: value if name in _KEPT else _clean(value) for name, value in fields.items()}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _PERSONAL.sub("[removed]", value)
    if isinstance(value, dict):
        return {key: _clean(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(inner) for inner in value]
    return value
