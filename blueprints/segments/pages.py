"""The blueprint that all segment pages belong to."""

from flask import Blueprint

pages = Blueprint("segments", __name__, url_prefix="/segments")
