"""What is run in a process of its own, as whoever gets a file would: it imports nothing of this program."""
