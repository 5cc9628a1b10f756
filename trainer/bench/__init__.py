"""How fast this machine trains, beside the sources' way of training. Needs torch, torchvision and numpy alone."""
