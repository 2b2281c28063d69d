"""The only source of truth: events, appended in batches and read in order."""
