"""Token buckets: so many at once, and so many a minute from then on. Time is passed in."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

_KEPT = 16_384
"""Buckets remembered; the one unused for longest is forgotten, which is as good as full again."""


@dataclass(slots=True)
class Bucket:
    """Holds up to `size` drops and gains `rate` of them a second. `at` is Unix seconds."""

    size: float
    rate: float
    level: float
    at: float

    def take(self, now: float) -> float:
        """Take a drop: 0.0, or the seconds until there is one."""
        self.level = min(self.size, self.level + max(0.0, now - self.at) * self.rate)
        self.at = now
        if self.level >= 1.0:
            self.level -= 1.0
            return 0.0
        return (1.0 - self.level) / self.rate


class Buckets:
    """A bucket for each key, all alike: `per_minute` drops at once and a minute; 0 for no limit. Thread-safe."""

    def __init__(self, per_minute: int) -> None:
        self._size = float(per_minute)
        self._buckets: OrderedDict[Hashable, Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: Hashable, now: float) -> int:
        """Take a drop of the key's: 0, or the whole seconds until there is one."""
        if not self._size:
            return 0
        with self._lock:
            bucket = self._buckets.get(key)
            if bucket is None:
                bucket = self._buckets[key] = Bucket(self._size, self._size / 60, self._size, now)
                if len(self._buckets) > _KEPT:
                    self._buckets.popitem(last=False)
            self._buckets.move_to_end(key)
            return math.ceil(bucket.take(now))
