"""Ethereum and chains like it. Importing this imports neither web3 nor a key library: only use does."""
