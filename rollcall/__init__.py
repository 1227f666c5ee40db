"""Rollcall: who exactly a campaign reaches, why, and how that list changed."""
