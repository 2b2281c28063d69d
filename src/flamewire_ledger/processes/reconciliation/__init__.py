"""Reconciling one network with the books: what is collected from the chain, from the wallets and from
payments, and the run that is recorded of it.
"""
