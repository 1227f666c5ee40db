"""The Friday-to-Sunday story in two minutes, with invented people on numbers kept for fiction."""
