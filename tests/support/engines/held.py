"""A variable that is no framework's."""

from __future__ import annotations

import numpy as np


class Held:
    """What a Keras variable can do, as far as a lead and a restoration ask."""

    def __init__(self, value: float = 0.0) -> None:
        self.value = value

    def assign(self, value: float) -> None:
        self.value = value

    def numpy(self) -> np.float32:
        return np.float32(self.value)
