"""Why somebody got a campaign or did not: one true sentence a person, causes and sums a list."""
