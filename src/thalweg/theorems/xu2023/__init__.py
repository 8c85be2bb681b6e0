r"""Xu, Min, Tarmoun, Mallada, Vidal: two layers from general starts."""
