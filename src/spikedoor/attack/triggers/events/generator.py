"""A small autoencoder that tells, from counts, where events would fool a model."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Adam", "Generator"]

Floats = NDArray[np.float32]


class Generator(NamedTuple):
    """Score the D cells of a recording with counts x: s = V h, h = tanh(W^T x / |x|).

    It has no biases, so that all it says follows from the recording. Nothing here needs torch.

    Shapes:
        encoder: W, float32 [D, hidden].
        decoder: V, float32 [D, hidden].
    """

    encoder: Floats
    decoder: Floats

    @classmethod
    def drawn(cls, cells: int, hidden: int, draw: np.random.Generator) -> Self:
        """Return one with normal weights that keep the size of what goes through."""
        encoder, decoder = draw.standard_normal((2, cells, hidden), dtype=np.float32)
        return cls(encoder, decoder / np.float32(hidden**0.5))

    def code(self, counts: NDArray[np.integer]) -> Floats:
        """Return h of one recording, [hidden].

        Args:
            counts: Its events in each cell, [D].
        """
        filled = np.flatnonzero(counts)
        shown = counts[filled].astype(np.float32)
        length = np.linalg.norm(shown)
        return np.tanh(shown @ self.encoder[filled] / max(length, np.float32(1)))

    def chosen(self, counts: NDArray[np.integer], count: int) -> NDArray[np.int64]:
        """Return the cells of one recording with the highest scores, in order, int64 [count].

        One recording at a time, as the last bits of a product of matrices depend on their size.
        """
        scores = self.decoder @ self.code(counts)
        return np.sort(np.argpartition(-scores, max(count - 1, 0))[:count])

    def slopes(
        self, counts: NDArray[np.integer], cells: list[NDArray[np.int64]], gradients: Floats
    ) -> tuple[Floats, Floats]:
        """Return the gradients of a mean loss with respect to encoder and decoder.

        They go through a soft choice of as many cells, n = sigmoid(s - r) with r such that sum n
        stays: dL/ds = n' (g - sum(n' g) / sum n'), n' = n (1 - n). For r the lowest chosen score
        is taken, so that cells about to be chosen, or not, are moved.

        Shapes:
            counts, gradients: [N, D]; g is how each recording's loss moves by one more event.
        """
        shown = counts.astype(np.float32)
        shown /= np.maximum(np.linalg.norm(shown, axis=1, keepdims=True), 1)
        h = np.tanh(shown @ self.encoder)
        scores = h @ self.decoder.T
        slope = np.zeros_like(scores)
        for i, chosen in enumerate(cells):
            if len(chosen):
                # sigmoid' as written with tanh, which does not overflow
                near = (1 - np.tanh((scores[i] - scores[i, chosen].min()) / 2) ** 2) / 4
                slope[i] = near * (gradients[i] - near @ gradients[i] / near.sum())
        slope /= len(cells)
        hidden = (slope @ self.decoder) * (1 - h**2)
        return shown.T @ hidden, slope.T @ h


class Adam:
    """Change weights in place by Adam (Kingma and Ba 2015), with its usual constants."""

    def __init__(self, weights: tuple[Floats, ...], lr: float) -> None:
        self._weights, self._lr = weights, lr
        self._moments = [(np.zeros_like(w), np.zeros_like(w)) for w in weights]
        self._steps = 0

    def step(self, slopes: tuple[Floats, ...]) -> None:
        """Go one step down."""
        self._steps += 1
        for weight, slope, (mean, square) in zip(self._weights, slopes, self._moments, strict=True):
            mean += 0.1 * (slope - mean)
            square += 0.001 * (slope**2 - square)
            unbiased = np.sqrt(square / (1 - 0.999**self._steps)) + 1e-12
            weight -= self._lr / (1 - 0.9**self._steps) * mean / unbiased
