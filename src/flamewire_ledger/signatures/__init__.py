"""Signatures: whether an account signed something, on every kind of chain, by one strict policy.

scheme.py is the seam, verifier.py what the outside calls; evm, substrate and sui are its schemes.
Libraries do the arithmetic. What is weak, malleable, malformed or wrapped unasked is refused here,
with a reason, before or after they are asked: they differ from each other at every edge.
"""
