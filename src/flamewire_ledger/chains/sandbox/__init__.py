"""Sandbox chains: three networks that exist in a journal only, with scripted misbehaviour."""
