"""What keeps others out: keys, scopes and rate limits. No secret is kept here, only what recognises
one.
"""
