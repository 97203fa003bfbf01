"""Rows that resemble each other: MinHash signatures (Broder 1997) and the pairs that locality-sensitive hashing finds.

datasketch makes the signatures. Its index is not used: sets in dictionaries take over a kilobyte a row and a query
returns every row of a template, where sorting one array a band takes 8 bytes and looks at a fixed number of neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

PERMUTATIONS = 128
"""The standard error of an estimated similarity of 0.8 is 0.035."""
BAND_HASHES = 4
"""Hashes a band. At a similarity s, a pair meets in one of the 32 bands with probability 1 - (1 - s⁴)³²: 1.00 at 0.8,
0.99 at 0.6, 0.87 at 0.5, 0.003 at 0.1."""
WINDOW = 8
"""Neighbours that a row is compared with in its bucket, so that a template of thousands of rows costs no square."""
CHUNK_PAIRS = 50_000


class Pairs(NamedTuple):
    """Rows ``first[k] < second[k]`` and the estimated similarity of each pair, as arrays of one length."""

    first: Integers
    second: Integers
    similarity: NDArray[np.float64]


class Signatures:
    """MinHash signatures of rows in the order of ``add``, 512 bytes each."""

    def __init__(self, seed: int) -> None:
        from datasketch import MinHash

        # NumPy's generators take 32 bits; every row must be hashed with the same permutations.
        self._empty = MinHash(num_perm=PERMUTATIONS, seed=seed % 2**32, hashfunc=crc32)
        self._bytes = bytearray()

    def add(self, elements: Iterable[str]) -> None:
        sketch = self._empty.copy()
        sketch.update_batch([element.encode() for element in elements])
        self._bytes += sketch.hashvalues.astype("uint32").tobytes()

    def matrix(self) -> NDArray[np.uint32]:
        """Shape (rows, PERMUTATIONS)."""
        import numpy as np

        return np.frombuffer(bytes(self._bytes), dtype=np.uint32).reshape(-1, PERMUTATIONS)


def similar_pairs(signatures: NDArray[np.uint32], similarity: float) -> Iterator[Pairs]:
    """Pairs of rows whose estimated Jaccard similarity reaches ``similarity``, band by band.

    A pair may come more than once. Pairs that never share a band are missed, and so are pairs far apart in a bucket of
    more than ``WINDOW`` rows: those are of one template and hang together through their neighbours.
    """
    import numpy as np

    bands = _band_hashes(signatures)
    for band, hashes in enumerate(bands):
        # The band before breaks ties, so that in a full bucket those that share two bands are neighbours.
        order = np.lexsort((bands[band - 1], hashes))
        ordered = hashes[order]
        found = []
        for shift in range(1, WINDOW + 1):
            places = np.flatnonzero(ordered[shift:] == ordered[:-shift])
            for start in range(0, places.size, CHUNK_PAIRS):
                chunk = places[start : start + CHUNK_PAIRS]
                found.append(_alike(signatures, order[chunk], order[chunk + shift], similarity))
        if found:
            yield Pairs(*map(np.concatenate, zip(*found, strict=True)))


def _alike(signatures: NDArray[np.uint32], left: Integers, right: Integers, similarity: float) -> Pairs:
    import numpy as np

    estimates = (signatures[left] == signatures[right]).mean(axis=1)
    alike = estimates >= similarity
    left, right = left[alike], right[alike]
    return Pairs(np.minimum(left, right), np.maximum(left, right), estimates[alike])


def _band_hashes(signatures: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """One 64-bit hash a band, shape (bands, rows)."""
    import numpy as np

    rows = len(signatures)
    bands = signatures.reshape(rows, PERMUTATIONS // BAND_HASHES, BAND_HASHES).astype(np.uint64).transpose(1, 2, 0)
    hashes = np.zeros((len(bands), rows), dtype=np.uint64)
    for column in range(BAND_HASHES):
        hashes = (hashes ^ bands[:, column]) * np.uint64(0x9E3779B97F4A7C15)
        hashes ^= hashes >> np.uint64(29)
    return hashes


def merge_components(labels: Integers, left: Integers, right: Integers) -> Integers:
    """Component labels after joining rows ``left[k]`` and ``right[k]``; rows of one component share a label."""
    import numpy as np
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if not len(left):
        return labels
    rows = len(labels)
    ends = (labels[np.asarray(left)], labels[np.asarray(right)])
    graph = coo_matrix((np.ones(len(left), dtype=np.int8), ends), shape=(rows, rows))
    _, merged = connected_components(graph, directed=False)
    joined: Integers = merged[labels].astype(np.int64)
    return joined
