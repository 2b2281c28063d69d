"""Sui: checkpoints over gRPC, and over GraphQL where nodes no longer have them."""
