"""Signatures: their schemes, held against vectors that other libraries made, and against whatever comes."""
