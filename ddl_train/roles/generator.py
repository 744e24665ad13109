"""The generator: looks for a link between two concepts, and may say that there is none."""

from collections.abc import Sequence

from ddl_train.config import WakeConfig
from ddl_train.records import (
    Completion,
    ConceptPair,
    Proposal,
    Sampling,
    Stopping,
    TextModel,
    Usage,
)
from ddl_train.roles.prompts import PromptPack


class ModelGenerator:
    """Asks a model with the pack's `propose` template; implements `records.Generator`."""

    def __init__(self, engine: TextModel, pack: PromptPack, config: WakeConfig) -> None:
        self._engine = engine
        self._takes_anything = not config.guards.is_enabled
        self._pack = pack
        self._sampling = Sampling(
            max_new_tokens=config.max_new_tokens,
            temperature=config.temperature,
            top_p=config.top_p,
            min_p=config.min_p,
            stop_after=pack.none,
            stopping=Stopping(**config.stopping.model_dump()),
        )

    def propose(
        self, pairs: Sequence[ConceptPair], *, adapter: str, seed: int
    ) -> tuple[list[Proposal], Usage]:
        """One proposal for each pair, in order."""
        prompts = [self._pack.render("propose", a=p.a.text, b=p.b.text) for p in pairs]
        completions, usage = self._engine.generate(
            prompts, sampling=self._sampling, adapter=adapter, seed=seed
        )
        proposals = [
            read_proposal(
                pair, completion, self._pack, adapter, takes_anything=self._takes_anything
            )
            for pair, completion in zip(pairs, completions, strict=True)
        ]
        return proposals, usage


def read_proposal(
    pair: ConceptPair,
    completion: Completion,
    pack: PromptPack,
    adapter: str,
    *,
    takes_anything: bool = False,
) -> Proposal:
    """Take an answer apart. What does not parse keeps its text and has no conclusion.

    With `takes_anything` (guards off), a text that does not parse is all conclusion.
    """
    is_none = pack.is_none(completion.text)
    parts = None if is_none else pack.parse_idea(completion.text)
    if parts is None and takes_anything and not is_none:
        parts = ("", completion.text)
    reasoning, conclusion = parts or ("", "")
    return Proposal(
        pair=pair,
        text=completion.text,
        reasoning=reasoning,
        conclusion=conclusion,
        is_none=is_none,
        adapter=adapter,
        num_prompt_tokens=completion.num_prompt_tokens,
        num_completion_tokens=completion.num_completion_tokens,
        is_finished=completion.is_finished,
        given_up=completion.given_up,
    )
