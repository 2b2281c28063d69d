"""Webhooks: what merchants are told, how it is signed, and how it gets to them."""
