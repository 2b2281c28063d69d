"""Ethereum, against a real node."""
