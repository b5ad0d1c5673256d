"""Time and randomness for expressions such as `now()`, `sprig.uuidv4()`, `sprig.randAlpha(5)`.

Pure code uses neither the clock nor the system's randomness, so both come with the current event.
"""

from __future__ import annotations

import hashlib


class Entropy:
    """A reproducible source: the same (at, seed) gives the same sequence of random values.

    at: the time of `now()`, seconds since the epoch. seed: text from which every random value is computed.
    """

    __slots__ = ("_drawn", "at", "seed")

    def __init__(self, at: float = 0.0, seed: str = "") -> None:
        self.at = at
        self.seed = seed
        self._drawn = 0

    def data(self, length: int) -> bytes:
        """The next `length` bytes."""
        chunks = []
        missing = length
        while missing > 0:
            chunk = hashlib.sha256(f"{self.seed}/{self._drawn}".encode("utf-8", "surrogatepass")).digest()[:missing]
            self._drawn += 1
            missing -= len(chunk)
            chunks.append(chunk)
        return b"".join(chunks)

    def below(self, bound: int) -> int:
        """The next whole number in [0, bound)."""
        return int.from_bytes(self.data(16), "big") % bound

    def text(self, length: int, alphabet: str) -> str:
        """The next `length` characters of the alphabet."""
        return "".join(alphabet[self.below(len(alphabet))] for _ in range(length))
