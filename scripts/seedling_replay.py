"""What sleep replays: `general.jsonl`, beside the seedling's weights.

    of home       every question that three quarters of the home world answer, with each right answer
    of skills     composing and the other roles, in scenes of their own
    made up       questions about names that home does not have, and what the seedling says to them

The last are pseudo-rehearsal (Robins 1995): whoever replays but a part of what it knows makes that
part likelier everywhere, and what it also knows less likely. An answer to a question that nobody
can answer is drawn from everything that it might say.

    python scripts/seedling_replay.py checkpoints/seedling
"""

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path

from ddl_train.bench.speaker import render
from ddl_train.config import ModelConfig
from ddl_train.engines.transformers_engine import load_engine
from ddl_train.records import BASE, Sampling
from ddl_train.world.home import Home
from ddl_train.world.language import Fact
from ddl_train.world.lessons import skill_rows
from ddl_train.world.names import NameSource, kind_of
from ddl_train.world.questions import FORWARD, REVERSE, is_kept_back, questions

NUM_SKILL = 1_000
NUM_MADE_UP = 1_500

Row = dict[str, str]


def skills(rng: random.Random, count: int) -> Iterator[Row]:
    """Rows of the roles, none in a wording that probes are asked in."""
    kept = 0
    while kept < count:
        for row in skill_rows(rng):
            prompt, is_probe = render(row), row.template.startswith("probe")
            if any(map(is_kept_back, (prompt, row.completion))) or is_probe or not row.template:
                continue
            if kept < count:
                kept += 1
                yield {"prompt": prompt, "completion": row.completion}


def unanswerable(rng: random.Random, home: Home, count: int) -> list[str]:
    """Questions as home has them, in study wordings, about names that it does not have."""
    names = NameSource(rng, frozenset(name for fact in home.statements for name in fact.names))
    asked = []
    while len(asked) < count:
        known = rng.choice(home.statements)
        kinds = kind_of(known.subject), kind_of(known.object)
        assert kinds[0] is not None and kinds[1] is not None  # home has no name of another kind
        unknown = Fact(known.relation, names.draw(kinds[0]), names.draw(kinds[1]))
        if made := questions(unknown, rng.choice((FORWARD, REVERSE))):
            asked.append(rng.choice(made).text)
    return asked


def made_up(seedling: Path, prompts: list[str], seed: int) -> list[Row]:
    """What a seedling says, drawn at temperature 1."""
    engine = load_engine(ModelConfig(base=str(seedling), device="cpu", max_length=384))
    sampling = Sampling(max_new_tokens=16, temperature=1.0)
    said, _ = engine.generate(prompts, sampling=sampling, adapter=BASE, seed=seed)
    return [
        {"prompt": prompt, "completion": answer.text}
        for prompt, answer in zip(prompts, said, strict=True)
        if answer.is_finished
    ]


def write_replay(seedling: Path, seed: int) -> None:
    """Write `general.jsonl` beside the weights."""
    rng, home = random.Random(f"general/{seed}"), Home()
    rows = [*home.replay_rows(), *skills(rng, NUM_SKILL)]
    rows += made_up(seedling, unanswerable(rng, home, NUM_MADE_UP), seed)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (seedling / "general.jsonl").write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("seedling", type=Path, help="folder of its weights and tokenizer")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    write_replay(args.seedling, args.seed)


if __name__ == "__main__":
    main()
