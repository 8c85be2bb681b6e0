"""The command line: one file a command, thin over the doors of the package."""
