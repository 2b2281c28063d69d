"""A credit account: what burns, what lapses, what is owed."""
