"""A uniform sample of a stream, without knowing how long the stream is."""

from __future__ import annotations

from random import Random
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Reservoir(Generic[Item]):
    """Keeps ``capacity`` of the items it is given, each of the items seen so far with the same probability.

    Algorithm R of J. S. Vitter, "Random Sampling with a Reservoir", ACM TOMS 11(1), 1985.
    """

    def __init__(self, capacity: int, random: Random) -> None:
        self.items: list[Item] = []
        self._capacity = capacity
        self._random = random
        self._seen = 0

    def add(self, item: Item) -> None:
        """Offers one item: it is kept while there is room, then with probability capacity / items seen."""
        self._seen += 1
        if len(self.items) < self._capacity:
            self.items.append(item)
            return
        place = self._random.randrange(self._seen)
        if place < self._capacity:
            self.items[place] = item
