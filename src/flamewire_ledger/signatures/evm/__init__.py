"""EVM chains: accounts with a key (secp256k1), contracts that answer for themselves (EIP-1271), and
Safe wallets.
"""
