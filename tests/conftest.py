"""Settings of the whole suite."""

import torch

# Small tensors gain nothing from a second thread, and several test runs at once lose much.
torch.set_num_threads(1)
