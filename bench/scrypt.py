"""The bound of everything that makes or opens a wallet key: bare scrypt on all cores."""

import os
import threading
import time

from jigap.keys.scrypt import scrypt
from jigap.settings import Settings


def per_second(seconds: float) -> float:
    """Derivations per second with one thread for each core, at the platform's own cost."""
    stop_at = time.perf_counter() + seconds
    counts = [0] * (os.cpu_count() or 1)

    def derive(at: int) -> None:
        salt = os.urandom(32)
        while time.perf_counter() < stop_at:
            scrypt(b"a passphrase of the usual length", salt, n=Settings.scrypt_n)
            counts[at] += 1

    begun = time.perf_counter()
    threads = [threading.Thread(target=derive, args=(at,)) for at in range(len(counts))]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return sum(counts) / (time.perf_counter() - begun)
