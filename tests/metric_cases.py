"""Triggered samples, and what an ANN and its SNN say of each."""

import numpy as np

# Ten triggered samples of three classes; the target is 0.
LABELS = np.array([0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
TARGETS = np.zeros(10, dtype=np.int64)
ANN = np.array([0, 1, 0, 0, 0, 1, 0, 0, 2, 1])  # fooled: 2 3 4 6 7, right: 5 8, else: 9
SNN = np.array([0, 0, 0, 0, 1, 0, 2, 0, 2, 1])  # fooled: 2 3 5 7, right: 4 6 8, else: 9
