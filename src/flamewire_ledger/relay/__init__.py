"""Step 4, relay: committed events to RabbitMQ, in order, at least once; and back out of it, for
those who read.
"""
