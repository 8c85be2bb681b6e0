"""Where paths can end: critical points, their kinds, ways out, laws, basins."""
