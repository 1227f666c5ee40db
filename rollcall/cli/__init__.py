"""The flask commands: each calls the verb that the browser and the API call too."""

from flask import Flask


def register(app: Flask) -> None:
    """Add every command group to the application."""
