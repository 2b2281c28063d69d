"""The Substrate adapter under test."""
