"""What is known of files is kept in memory, as long as there is room: headers, tables of tiles."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """The values asked for last, of at most ``most`` bytes together, from any thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], tuple[T, int]]) -> T:
        """The value of a key; one that is not there is made, with its size in bytes.

        Two threads that ask at the same time may both make it: none waits for the other's disk. What ``make`` raises is
        not kept.
        """
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key][0]
        value, size = make()
        with self._lock:
            if key in self._held:
                return self._held[key][0]
            self._held[key] = value, size
            self._bytes += size
            while self._bytes > self._most and len(self._held) > 1:
                self._bytes -= self._held.popitem(last=False)[1][1]
        return value
