"""Exports: their names and formats."""
