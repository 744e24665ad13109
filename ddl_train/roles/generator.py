"""The generator: looks for a link between two concepts, and may say that there is none.

Each pair comes with an operator, the way in which it is asked about: `connect` (any link) or one of
the pack's own, such as an analogy or a contradiction. Whatever was asked, the answer is reasoning
and a conclusion, or NONE, so that guards, critic and study need to know nothing of operators. The
conclusion is a statement in every case: that of a `question` is the answer one would bet on, and
the question stands in the reasoning, since a critic cannot score a question for coherence and
nothing can be asked about it at night.
"""

import random
from collections.abc import Sequence
from dataclasses import replace

from ddl_train.config import Moment, VerbalisedConfig, WakeConfig
from ddl_train.errors import ConfigError
from ddl_train.records import (
    Completion,
    ConceptPair,
    Prompts,
    Proposal,
    Sampling,
    Stopping,
    TextModel,
    Usage,
)
from ddl_train.roles.prompts import BUILT_IN, SCREEN, VERBALISED, PromptPack, operator_template
from ddl_train.roles.verbalised import read_answers, take_one

QUESTION = "question"
"""The operator that asks a question; its conclusion may not be one."""
_QUESTION_MARKS = ("?", "\N{FULLWIDTH QUESTION MARK}", "\N{ARABIC QUESTION MARK}")


class ModelGenerator:
    """Asks a model with the templates of a pack; implements `records.Generator`."""

    def __init__(
        self,
        engine: TextModel,
        pack: PromptPack,
        config: WakeConfig,
        moment: Moment | None = None,
    ) -> None:
        """`moment`: for schedules, which batch is dreamt; without one, where they end."""
        self.engine = engine
        self._takes_anything = not config.guards.is_enabled
        self._pack = pack
        self._verbalised = config.verbalised
        self.sampling = Sampling(
            max_new_tokens=config.max_answer_tokens,
            temperature=config.temperature_at(moment),
            top_p=config.top_p,
            min_p=config.min_p_at(moment),
            stop_after=pack.none,
            stopping=Stopping(**config.stopping.model_dump()),
        )

    def prompts(self, pairs: Sequence[ConceptPair]) -> list[str]:
        """What the model is asked about each pair, in order."""
        return [
            dream_prompt(
                self._pack, pair.operator, pair.a.text, pair.b.text, verbalised=self._verbalised
            )
            for pair in pairs
        ]

    def propose(
        self, pairs: Sequence[ConceptPair], *, adapter: str, seed: int
    ) -> tuple[list[Proposal], Usage]:
        """One proposal for each pair, in order."""
        completions, usage = self.engine.generate(
            self.prompts(pairs), sampling=self.sampling, adapter=adapter, seed=seed
        )
        proposals = [
            self._read(pair, completion, adapter, seed)
            for pair, completion in zip(pairs, completions, strict=True)
        ]
        return proposals, usage

    def _read(self, pair: ConceptPair, completion: Completion, adapter: str, seed: int) -> Proposal:
        if self._verbalised is not None:
            completion = take_completion(
                completion, self._pack, self._verbalised, f"{seed}/{pair.pair_number}"
            )
        return read_proposal(
            pair, completion, self._pack, adapter, takes_anything=self._takes_anything
        )


def dream_prompt(
    prompts: Prompts,
    operator: str,
    a: str,
    b: str,
    *,
    verbalised: VerbalisedConfig | None = None,
) -> str:
    """What a model is asked about two concepts."""
    question = prompts.render(operator_template(operator), a=a, b=b)
    if verbalised is None:
        return question
    return prompts.render(
        VERBALISED, question=question, k=verbalised.num_ideas, tail=f"{verbalised.tail:g}"
    )


def check_pack(pack: PromptPack, config: WakeConfig) -> None:
    """Refuse a config that asks for what the pack has no template for.

    Raises:
        ConfigError: says which, and what the pack has.
    """
    if unknown := [name for name in config.operators if name not in pack.operators]:
        files = [f"{operator_template(name)}.jinja" for name in unknown]
        example = BUILT_IN / "default"
        ready = [name for name in files if (example / name).is_file()]
        hint = f"; copy {', '.join(ready)} from {example}" if ready else ""
        raise ConfigError(
            f"wake.operators names {', '.join(map(repr, unknown))}, for which the prompt pack "
            f"{pack.dir} has no template ({', '.join(files)}); it has "
            f"{', '.join(pack.operators)}{hint}"
        )
    if config.verbalised is not None and not pack.can_verbalise:
        raise ConfigError(
            f"wake.verbalised is set, for which the prompt pack {pack.dir} has no template "
            f"({VERBALISED}.jinja); leave it out, or take a pack that has one, such as default"
        )
    screen = config.cascade.screen
    if screen is not None and screen.ask == SCREEN and not pack.can_screen:
        raise ConfigError(
            f"wake.cascade.screen asks with a template of its own ({SCREEN}.jinja), which the prompt "
            f"pack {pack.dir} lacks; copy one from {BUILT_IN / 'default'}, or set ask to an axis or "
            "to support"
        )


def take_completion(
    completion: Completion, pack: PromptPack, config: VerbalisedConfig, seed: str
) -> Completion:
    """Of an answer with several ideas the one that is kept.

    Its tokens are its part of the answer's by length; the cost of the whole answer is in the usage.
    """
    answers = read_answers(
        completion.text, pack, num_ideas=config.num_ideas, is_finished=completion.is_finished
    )
    taken = take_one(answers, tail=config.tail, rng=random.Random(seed))
    share = len(taken.text) / max(len(completion.text), 1)
    return replace(
        completion,
        text=taken.text,
        num_completion_tokens=round(share * completion.num_completion_tokens),
        is_finished=taken.is_whole,
        given_up=None if taken.is_whole else completion.given_up,
    )


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
    if parts is not None and pair.operator == QUESTION and parts[1].endswith(_QUESTION_MARKS):
        parts = None
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
