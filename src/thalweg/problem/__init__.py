"""What is minimised: the network, the data's moments, the loss."""
