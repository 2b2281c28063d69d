"""Sui: what only its adapter has, and the suite of all chains."""
