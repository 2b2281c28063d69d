"""Keys, scopes, limits."""
