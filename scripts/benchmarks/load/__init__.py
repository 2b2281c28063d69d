"""A load generator that does not cheat: it runs in a process of its own, counts latency from when a request
was due, remembers every answer, and afterwards looks each of them up in the store and the read models.
"""
