"""From stored trajectories to training data: select, freeze into a dataset version, hand on in other formats."""
