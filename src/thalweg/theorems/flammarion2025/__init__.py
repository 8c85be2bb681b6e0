r"""Lecture 6 of EPFL CS-439: gradient descent on $\tfrac12(\prod_k x_k - 1)^2$."""
