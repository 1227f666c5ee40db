"""Which people: criteria, the one audience query, and what is computed from it."""
