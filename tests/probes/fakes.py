"""Hand-written stand-ins for what an evaluation is handed."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from ddl_train.records import (
    BASE,
    Completion,
    Continuation,
    FloatArray,
    Insight,
    Likelihood,
    Sampling,
    Scores,
    StudyItem,
    TextLoss,
    Usage,
)


class PlainPrompts:
    """Shows a question as it is, after its context."""

    none = "NONE"

    def render(self, template: str, **variables: Any) -> str:
        if template == "answer":
            return " ".join([*variables["context"], variables["question"]])
        return f"{template}: {variables}"


class TableEngine:
    """Finds an answer likely when `knows(adapter, prompt, answer)` says so."""

    name = "table"

    def __init__(self, knows: Callable[[str, str, str], bool]) -> None:
        self.knows = knows
        self.asked: list[tuple[str, str]] = []
        self.says = "nothing"
        self.loss = 1.0
        self.divergence = 0.1

    def generate(
        self, prompts: Sequence[str], *, sampling: Sampling, adapter: str, seed: int
    ) -> tuple[list[Completion], Usage]:
        assert sampling.temperature == 0
        completions = [
            Completion(
                text=self.says, num_prompt_tokens=1, num_completion_tokens=1, is_finished=True
            )
            for _ in prompts
        ]
        return completions, Usage(num_completion_tokens=len(prompts))

    def loglikelihood(
        self, items: Sequence[Continuation], *, adapter: str
    ) -> tuple[list[Likelihood], Usage]:
        self.asked += [(item.prompt, item.continuation) for item in items]
        found = []
        for item in items:
            num_tokens = len(item.continuation.split())
            share = 0.9 if self.knows(adapter, item.prompt, item.continuation) else 0.1
            found.append(Likelihood(total=num_tokens * math.log(share), num_tokens=num_tokens))
        return found, Usage(num_prompt_tokens=len(items))

    def integer_distribution(
        self, prompts: Sequence[str], *, low: int, high: int, adapter: str
    ) -> tuple[FloatArray, Usage]:
        raise NotImplementedError

    def hidden_states(self, texts: Sequence[str]) -> tuple[FloatArray, Usage]:
        raise NotImplementedError

    def text_loss(self, texts: Sequence[str], *, adapter: str) -> tuple[list[TextLoss], Usage]:
        divergence = 0.0 if adapter == BASE else self.divergence
        found = TextLoss(loss=self.loss, divergence=divergence, num_tokens=2)
        return [found for _ in texts], Usage()


def make_insight(number: int, *, cycle: int = 0) -> Insight:
    return Insight(
        insight_id=number,
        concept_id=100 + number,
        text=f"a lowers b and high b causes c, so sub{number} may relieve ail{number}",
        reasoning="a lowers b and high b causes c",
        conclusion=f"sub{number} may relieve ail{number}",
        parents=(1, 2),
        depth=1,
        cycle=cycle,
        adapter="base",
        scores=Scores(novelty=7, coherence=7, utility=7),
        rationale=None,
        parent_texts=("a lowers b", "high b causes c"),
    )


def make_items(number: int) -> list[StudyItem]:
    """What a student writes to probe an insight of `make_insight`."""
    forward = f"what would sub{number} be given for?", f"ail{number}"
    reverse = f"which treatment suits ail{number}?", f"sub{number}"
    return [
        StudyItem(insight_id=number, kind=kind, question=question, answer=answer, family="probe")
        for kind, (question, answer) in (("forward", forward), ("reverse", reverse))
    ]
