"""Sui: Ed25519, secp256k1, secp256r1, and MultiSig of them."""
