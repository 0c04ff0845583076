"""What travels between the rooms: messages, topology and settings. Imports nothing of ours, does no I/O."""
