"""Which index serves how many concepts, and what it takes.

    Flat            exact; up to `exact_up_to` rows, as long as it fits `max_bytes`. Its cost grows
                    with the rows: at 100,000 of width 16 it is three times all else that memory does
    IVFn,Flat       whole vectors in n lists, of which a search reads some; above that. From 8,192
                    lists on their centres are a graph (IVFn_HNSW32): it is searched, not walked through
    HNSW32,Flat     a graph; when lists must be read too widely to reach the recall
    IVFn,SQ8        a byte a number; where whole vectors do not fit
    IVFn,PQmnp      m bytes a vector; above `pq_above` rows, or where SQ8 does not fit

Names are those of FAISS's index factory. Bytes a row: the code, 8 for its id in a list, 8 for its
concept id, 8 for finding it again where vectors are stored whole; a graph adds 4 bytes for each of
2 x 32 links. A growing index takes up to twice that for a while, and the sample that lists are
learned from up to a gigabyte.
"""

from dataclasses import dataclass
from math import isqrt

from ddl_train.config import MemoryConfig
from ddl_train.errors import ResourceError

TARGET_RECALL = 0.95
"""Share of the 10 nearest that an approximate index must find."""
CANDIDATES_PER_HIT = 8
"""From a compressed index so many candidates are taken for each wanted, and ranked exactly."""
TRAINED_PER_LIST = 48
"""Vectors a list that the lists' centres are learned from."""

_GRAPH_LINKS = 32
_GRAPH_OF_LISTS = 8192
"""Lists from which on a graph finds the nearest centres faster than comparing all."""
_LEAST_LISTS = 4
_MOST_LISTS = 65_536
_ROWS_PER_LIST = 256
_SAMPLE_BYTES = 1e9
_NUMBERS_A_BYTE = (4, 8, 16, 32)
"""Numbers of a vector that share one byte, from the finest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Where one kind of index ends and the next begins."""

    exact_up_to: int = 20_000
    """Rows."""
    pq_above: int = 10_000_000
    """Rows."""
    max_bytes: float = 8e9
    """Of memory that an index may take."""


def limits_of(config: MemoryConfig) -> Limits:
    """What a run's config allows."""
    return Limits(exact_up_to=config.exact_up_to, max_bytes=config.max_index_gb * 1e9)


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One kind of index."""

    factory: str
    num_bytes: float
    """That it takes for the rows it was chosen for."""
    num_lists: int = 0
    is_whole: bool = True
    """It holds whole vectors, and can give them back."""

    @property
    def is_exact(self) -> bool:
        return self.factory == "Flat"

    @property
    def widest(self) -> int:
        """The largest effort that is worth it: an eighth of the lists, 512 nodes of a graph."""
        return max(self.num_lists // 8, 1) if self.num_lists else 512

    def serves(self, factory: str) -> bool:
        """Whether an index made by `factory` is of this kind, however many lists it has."""
        return _family(factory) == _family(self.factory)


def kinds_for(rows: int, width: int, limits: Limits) -> list[Kind]:
    """Kinds to try for so many rows, best first; the last is taken however wide it must search.

    Raises:
        ResourceError: none fits `limits.max_bytes`.
    """
    exact = Kind(factory="Flat", num_bytes=rows * (4.0 * width + 8))
    if rows <= limits.exact_up_to and exact.num_bytes <= limits.max_bytes:
        return [exact]
    whole = _in_lists("Flat", rows, width, 4 * width + 8)
    graph = Kind(
        factory=f"HNSW{_GRAPH_LINKS},Flat",
        num_bytes=rows * (4.0 * width + 8 * _GRAPH_LINKS + 16),
    )
    if rows <= limits.pq_above and whole.num_bytes <= limits.max_bytes:
        return [whole, graph, whole] if graph.num_bytes <= limits.max_bytes else [whole]
    scalar = _in_lists("SQ8", rows, width, width)
    products = [
        _in_lists(f"PQ{width // share}np", rows, width, width // share)
        for share in _NUMBERS_A_BYTE
        if width % share == 0
    ]
    compressed = [scalar, *products] if rows <= limits.pq_above or not products else products
    for kind in compressed:
        if kind.num_bytes <= limits.max_bytes:
            return [kind]
    raise ResourceError(
        f"the index of {rows:,} concepts of width {width} needs "
        f"{compressed[-1].num_bytes / 1e9:.1f} GB of memory and may take "
        f"{limits.max_bytes / 1e9:.1f} GB; raise memory.max_index_gb"
    )


def num_lists(rows: int) -> int:
    """Lists for so many rows: the power of two at or below three times the square root.

    From two million on a list for 256 rows, so that reading a list costs the same at any size.
    """
    wanted = max(3 * isqrt(max(rows, 1)), rows // _ROWS_PER_LIST)
    return min(max(_LEAST_LISTS, 1 << wanted.bit_length() - 1), _MOST_LISTS)


def sample_size(lists: int, width: int) -> int:
    """Vectors that the centres of so many lists are learned from."""
    return min(lists * TRAINED_PER_LIST, int(_SAMPLE_BYTES / (4 * width)))


def has_graph(factory: str) -> bool:
    """Whether the centres of an index's lists, or its vectors, are searched as a graph."""
    return "HNSW" in factory


def _in_lists(code: str, rows: int, width: int, code_bytes: int) -> Kind:
    lists = num_lists(rows)
    graph = f"_HNSW{_GRAPH_LINKS}" if lists >= _GRAPH_OF_LISTS else ""
    return Kind(
        factory=f"IVF{lists}{graph},{code}",
        num_bytes=rows * (code_bytes + 16.0) + lists * (4.0 * width + 8 * _GRAPH_LINKS),
        num_lists=lists,
        is_whole=code == "Flat",
    )


def _family(factory: str) -> str:
    """`IVF,PQ` of `IVF4096,PQ16`: the name without its numbers."""
    return "".join(letter for letter in factory if not letter.isdigit())
