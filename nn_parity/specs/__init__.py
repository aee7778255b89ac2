"""What each network is: parameters, tiny batches, tiny cases. One file per network."""
