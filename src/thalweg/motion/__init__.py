"""How weights move, and what is recorded on the way."""
