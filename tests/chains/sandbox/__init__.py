"""Sandbox chains."""
