"""Real servers for tests: found or started here, shared, and stopped by the last user."""
