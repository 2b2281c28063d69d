"""The domain: rules as given, when, then."""
