"""Every projection's example as a test."""
