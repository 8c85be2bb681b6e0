"""Saxe, McClelland, Ganguli: exact learning curves, measured."""
