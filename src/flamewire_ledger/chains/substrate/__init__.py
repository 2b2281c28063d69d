"""Bittensor and chains like it. Importing this imports no Substrate library: only use does."""
