"""What the sources print, and what is true: a figure for every error found."""
