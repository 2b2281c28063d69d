"""What one fact makes happen next: events and deadlines in, commands out. A process decides nothing
about money itself.
"""
