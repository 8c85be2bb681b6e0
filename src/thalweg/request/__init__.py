"""What a run is asked for: settings, checked, and the problem and start they pose."""
