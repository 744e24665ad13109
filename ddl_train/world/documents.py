"""A world as files: documents that tell its facts, and world.json with the truth.

Documents are Markdown without headings, one sentence a line, each from one literature. Every fact
is told at least once; what means nothing is told between the facts. The same seed and preset give
the same bytes.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ddl_train.errors import SourceError
from ddl_train.world.graph import Bridge, Placed, World, WorldSpec, home_world, make_world
from ddl_train.world.language import DOCUMENT, Fact, document
from ddl_train.world.presets import DocumentSpec

WORLD_FILE = "world.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Document:
    """Some sentences of one literature."""

    literature: int
    number: int
    sentences: tuple[str, ...]

    @property
    def path(self) -> str:
        """Where it lies under the folder of documents."""
        return f"literature_{self.literature:03d}/{self.number:06d}.md"

    @property
    def text(self) -> str:
        return "".join(f"{sentence}.\n" for sentence in self.sentences)


def grow(seed: int, spec: WorldSpec) -> World:
    """Make the world of a seed, without any name of the seedling's home world."""
    names = frozenset(name for fact in home_world().facts for name in fact.names)
    return make_world(seed, spec, taken=names)


def tell(world: World, spec: DocumentSpec) -> Iterator[Document]:
    """Tell all that is stated, literature by literature."""
    rng = random.Random(f"documents/{world.seed}")
    by_literature: dict[int, list[Fact]] = {}
    for placed in world.placed:
        by_literature.setdefault(placed.literature, []).append(placed.fact)
    for literature in sorted(by_literature):
        sentences = list(_sentences(rng, by_literature[literature], spec))
        rng.shuffle(sentences)
        for number, some in enumerate(_cut(rng, sentences, spec)):
            yield Document(literature, number, tuple(some))


def _sentences(rng: random.Random, facts: list[Fact], spec: DocumentSpec) -> Iterator[str]:
    for fact in facts:
        wording = rng.randrange(len(DOCUMENT[fact.relation]))
        yield document(fact, wording)
        if fact.composes and rng.random() < spec.repeat_share:
            yield document(fact, wording + rng.randrange(1, len(DOCUMENT[fact.relation])))


def _cut(rng: random.Random, sentences: list[str], spec: DocumentSpec) -> Iterator[list[str]]:
    """Cut into documents of a random length; none is shorter than asked for but a lone one."""
    start = 0
    while start < len(sentences):
        size = rng.randint(spec.min_sentences, spec.max_sentences)
        rest = len(sentences) - start - size
        if 0 < rest < spec.min_sentences:
            size = max(spec.min_sentences, size + rest - spec.min_sentences)
            if len(sentences) - start - size < spec.min_sentences:
                size = len(sentences) - start
        yield sentences[start : start + size]
        start += size


def write_documents(documents: Iterator[Document], out: Path) -> int:
    """Write Markdown files under a folder; returns how many."""
    folders: set[int] = set()
    num_documents = 0
    for told in documents:
        path = out / told.path
        if told.literature not in folders:
            path.parent.mkdir(parents=True, exist_ok=True)
            folders.add(told.literature)
        path.write_text(told.text, encoding="utf-8")
        num_documents += 1
    return num_documents


def world_json(world: World, preset: str) -> str:
    """All that is stated, and by which literature; one line a fact."""
    head = {
        "format": FORMAT,
        "preset": preset,
        "seed": world.seed,
        "spec": asdict(world.spec),
        "bridges": [asdict(bridge) for bridge in world.bridges],
    }
    opening = json.dumps(head)[:-1]
    lines = (
        json.dumps([p.literature, p.fact.relation, p.fact.subject, p.fact.object, p.fact.wording])
        for p in world.placed
    )
    return opening + ', "facts": [\n' + ",\n".join(lines) + "\n]}\n"


def load_world(folder: str | Path) -> World:
    """Read the truth of a world that was written.

    Raises:
        SourceError: there is no world.json, or it is not one.
    """
    path = Path(folder) / WORLD_FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SourceError(f"{path}: no such file; `ddl-train world` writes one") from None
    except (OSError, ValueError) as error:
        raise SourceError(f"{path}: cannot be read as JSON ({error})") from None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise SourceError(f"{path}: expected a world file of format {FORMAT}")
    try:
        return World(
            seed=values["seed"],
            spec=WorldSpec(**values["spec"]),
            placed=tuple(_placed(*line) for line in values["facts"]),
            bridges=tuple(Bridge(**bridge) for bridge in values["bridges"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise SourceError(
            f"{path}: is damaged, expected seed, spec, facts and bridges of a world ({reason}); "
            "delete its folder and write it again with `ddl-train world`"
        ) from None


def _placed(literature: int, relation: str, subject: str, object: str, wording: int) -> Placed:
    """A line of world.json."""
    if relation not in DOCUMENT:
        raise ValueError(f"there is no relation {relation!r}")
    return Placed(Fact(relation, subject, object, wording), literature)
