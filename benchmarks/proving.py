"""What proving a version's bytes costs at a load: `python3 benchmarks/proving.py [MEGABYTES]`. Needs no portal.

Prints processor time, which other work on the machine does not change: the best and the median of five, of a plain
file in the page cache and of the same file encrypted.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from registry.artifacts.encryption import Keyring
from registry.artifacts.proving import open_proven
from registry.artifacts.seals import Signer, check_seal
from registry.artifacts.store import ArtifactStore

TRIES = 5


def main(megabytes: int) -> None:
    data = os.urandom(megabytes * 1_000_000)
    for name, keys in (("plain", Keyring([])), ("encrypted", Keyring([os.urandom(32)]))):
        with tempfile.TemporaryDirectory() as folder:
            store = ArtifactStore(Path(folder), keys)
            sha256 = store.receive([data], limit=len(data)).sha256
            seconds = sorted(_seconds(store, sha256) for _ in range(TRIES))
            rate = len(data) / seconds[0] / 1e6
            median = statistics.median(seconds)
            print(f"{name}: best {seconds[0] * 1e3:.0f} ms, median {median * 1e3:.0f} ms, {rate:.0f} MB/s at best")
    print(f"seal: {_seal_seconds() * 1e6:.0f} µs")


def _seconds(store: ArtifactStore, sha256: str) -> float:
    started = process_time()
    with open_proven(store, sha256):
        return process_time() - started


def _seal_seconds() -> float:
    signer = Signer(os.urandom(32))
    seal, keys = signer.seal("a" * 64, {"signed_at": "now"}), {signer.fingerprint: signer.public}
    started = perf_counter()
    for _ in range(100):
        check_seal(keys, "a" * 64, seal)
    return (perf_counter() - started) / 100


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 54)
