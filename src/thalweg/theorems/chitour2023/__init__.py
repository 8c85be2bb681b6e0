r"""Chitour, Liao, Couillet: flows, landscapes and one hidden layer."""
