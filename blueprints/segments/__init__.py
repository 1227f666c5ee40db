"""Segments: named sets of people, their versions and snapshots, and what came between two."""

from blueprints.segments import compare, edit, members, show
from blueprints.segments.pages import pages

__all__ = ["compare", "edit", "members", "pages", "show"]
