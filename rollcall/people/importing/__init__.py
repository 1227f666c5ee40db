"""Storing what `reading` gives: batches of people and purchases, and the record of the run."""
