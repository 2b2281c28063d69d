"""Processes: what follows from a fact, once."""
