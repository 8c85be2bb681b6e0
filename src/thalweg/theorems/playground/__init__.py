r"""Sharp results of our own on $\tfrac12(\prod_k x_k - 1)^2$."""
