"""The in-process scheduler: one interval job that looks for due campaigns."""

from flask import Flask


def start(app: Flask) -> None:
    """Start looking for due campaigns in the background of this process."""
