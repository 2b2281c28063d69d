"""Chains and the one who follows them."""
