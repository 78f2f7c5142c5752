"""Everything that looks random: keys, ids, codes, nonces, fault dice.

All of it is derived from the seed, a purpose and a running number, so the same seed and the same
order of events give the same run. Numbers are taken from the store in blocks: after a restart the
next block begins, and nothing is handed out twice.
"""

import hashlib
import hmac
import string
import threading
from typing import Protocol

ALNUM = string.ascii_letters + string.digits
URLSAFE = ALNUM + "-_"
HEX = "0123456789abcdef"
DIGITS = string.digits
BLOCK = 1000


def derive(seed: int, purpose: str, number: int, size: int) -> bytes:
    """`size` bytes that depend on nothing but the arguments."""
    key, out, part = str(seed).encode(), b"", 0
    while len(out) < size:
        out += hmac.new(key, f"{purpose}:{number}:{part}".encode(), hashlib.sha256).digest()
        part += 1
    return out[:size]


def derive_text(seed: int, purpose: str, length: int, alphabet: str = ALNUM, number: int = 0) -> str:
    """`length` characters of the alphabet that depend on nothing but the arguments."""
    return "".join(alphabet[b % len(alphabet)] for b in derive(seed, purpose, number, length))


class Counters(Protocol):
    """Where the running numbers survive a restart, and the lock that guards them."""

    lock: threading.RLock

    def reserve(self, purpose: str, size: int) -> int: ...


class Dice:
    """The seeded source of one sandbox."""

    def __init__(self, seed: int, counters: Counters) -> None:
        self.seed = seed
        self._counters = counters
        self._at: dict[str, tuple[int, int]] = {}
        self._lock = counters.lock  # the store's own: a second lock could be taken in the other order

    def number(self, purpose: str) -> int:
        """The next running number of this purpose, never the same twice."""
        with self._lock:
            here, end = self._at.get(purpose, (0, 0))
            if here >= end:
                here = self._counters.reserve(purpose, BLOCK)
                end = here + BLOCK
            self._at[purpose] = (here + 1, end)
            return here

    def text(self, purpose: str, length: int, alphabet: str = ALNUM) -> str:
        """The next text of this purpose."""
        return derive_text(self.seed, purpose, length, alphabet, self.number(purpose))

    def bytes(self, purpose: str, size: int) -> bytes:
        """The next bytes of this purpose."""
        return derive(self.seed, purpose, self.number(purpose), size)

    def strikes(self, purpose: str, probability: float) -> bool:
        """True as often as the probability says; the n-th throw of a purpose is always the same."""
        if probability >= 1:
            return True
        throw = int.from_bytes(self.bytes(purpose, 8), "big") / 2**64
        return throw < probability

    def forget(self) -> None:
        """The run begins again: numbers are asked from the store anew."""
        with self._lock:
            self._at.clear()
