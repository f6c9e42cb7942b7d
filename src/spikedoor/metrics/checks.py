"""What every metric asks of its arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikedoor.errors import ConfigError

__all__ = ["counts", "integers"]


def integers(**arrays: ArrayLike) -> list[NDArray[np.integer]]:
    """Return the arguments as integer arrays [N] of equal length.

    Raises:
        ConfigError: Naming the argument that is none, or the unequal lengths.
    """
    checked: list[NDArray[np.integer]] = []
    for name, values in arrays.items():
        array = np.asarray(values)
        if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
            raise ConfigError(
                f"{name}: expected integers [N], got {array.dtype} {list(array.shape)}"
            )
        checked.append(array)
    if len({len(array) for array in checked}) > 1:
        sizes = ", ".join(f"{name} {len(a)}" for name, a in zip(arrays, checked, strict=True))
        raise ConfigError(f"expected arrays of equal length, got {sizes}")
    return checked


def counts(kind: str, value: Any, keys: tuple[str, ...]) -> dict[str, int]:
    """Return a table that holds exactly these counts.

    Raises:
        ConfigError: If it holds anything else.
    """
    if (
        not isinstance(value, dict)
        or set(value) != set(keys)
        or any(type(count) is not int for count in value.values())
    ):
        raise ConfigError(f"{kind}: expected counts {', '.join(keys)}, got {value!r}")
    return value
