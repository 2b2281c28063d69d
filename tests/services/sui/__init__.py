"""A Sui node for tests: no real one can be installed, so what wallets sign is executed by a small model.

`model.py` is the chain, `server.py` speaks sui.rpc.v2 for it over gRPC and `archive.py` GraphQL;
`wallet.py` signs with @mysten/sui and submits. Each checkpoint is made when a test says so.
"""
