r"""Saxe, McClelland, Ganguli: exact solutions of learning, mode by mode."""
