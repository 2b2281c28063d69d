"""Substrate chains, Bittensor among them: sr25519, Ed25519 and ECDSA accounts, and multisig accounts."""
