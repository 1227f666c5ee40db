"""The blueprint that all campaign pages belong to."""

from flask import Blueprint

pages = Blueprint("campaigns", __name__, url_prefix="/campaigns")
