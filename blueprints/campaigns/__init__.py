"""Campaigns: written with a live preview, confirmed, watched while they go out, looked back on."""

from blueprints.campaigns import (
    actions,
    confirm,
    doubts,
    edit,
    explaining,
    index,
    people,
    preview,
    rehearsals,
    show,
    trying,
)
from blueprints.campaigns.pages import pages

__all__ = [
    "actions",
    "confirm",
    "doubts",
    "edit",
    "explaining",
    "index",
    "pages",
    "people",
    "preview",
    "rehearsals",
    "show",
    "trying",
]
