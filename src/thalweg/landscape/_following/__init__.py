"""How many starts are followed to their ends."""
