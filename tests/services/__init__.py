"""Real servers for tests: found or started here, shared by all workers, stopped by the last user."""
