"""The plainest thing that does the work of the loop: one prompt at a time through transformers.

Same model, prompts, caps and NONE stop as the loop, three generated scores for what is proposed.
"""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import StoppingCriteriaList

from ddl_train.records import BASE, Completion, ConceptPair, Proposal
from ddl_train.roles.generator import read_proposal
from ddl_train.roles.prompts import PromptPack
from ddl_train.session import Session


class PlainGenerate:
    """One prompt at a time through `model.generate`, with the NONE stop as a stopping criterion."""

    def __init__(self, session: Session) -> None:
        self.pack: PromptPack = session.pack
        self.wake = session.config.wake
        self._engine = session.engine
        with session.engine.lend_base() as model:
            self._model: Any = model
        torch.manual_seed(session.config.seed)

    def write(self, prompt: str, *, max_new_tokens: int, temperature: float) -> Completion:
        """Complete one prompt."""
        chat, device = self._engine.chat, self._engine.device
        ids = torch.tensor([chat.prompt_ids(prompt)], device=device)
        size = ids.shape[1]

        def says_none(so_far: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
            text = chat.decode(so_far[0, size:].tolist())
            return torch.tensor([text.startswith(self.pack.none)], device=device)

        sampling: dict[str, Any] = {"do_sample": temperature > 0}
        if temperature > 0:
            sampling |= {"temperature": temperature, "top_k": 0}
            sampling |= {"top_p": self.wake.top_p, "min_p": self.wake.min_p_at()}
        with torch.no_grad():
            written = self._model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=max_new_tokens,
                stopping_criteria=StoppingCriteriaList([says_none]),
                eos_token_id=chat.eos_token_ids,
                pad_token_id=chat.pad_token_id,
                **sampling,
            )[0, size:].tolist()
        return Completion(
            text=chat.decode(written),
            num_prompt_tokens=size,
            num_completion_tokens=len(written),
            is_finished=len(written) < max_new_tokens,
        )


def dream_plainly(plain: PlainGenerate, pairs: Sequence[ConceptPair]) -> None:
    """Dream on each pair, and have what is no NONE judged."""
    for pair in pairs:
        completion = plain.write(
            plain.pack.render("propose", a=pair.a.text, b=pair.b.text),
            max_new_tokens=plain.wake.max_new_tokens,
            temperature=plain.wake.temperature_at(),
        )
        proposal = read_proposal(pair, completion, plain.pack, BASE)
        if proposal.conclusion:
            judge_plainly(plain, proposal)


def judge_plainly(plain: PlainGenerate, proposal: Proposal) -> list[str]:
    """Three scores, each written out by `generate`: a digit or two, and the end."""
    pair, pack = proposal.pair, plain.pack
    prompts = [
        pack.render(
            "score",
            a=pair.a.text,
            b=pair.b.text,
            idea=proposal.text,
            axes=list(pack.axes),
            axis=axis,
        )
        for axis in pack.axes
    ]
    return [plain.write(one, max_new_tokens=3, temperature=0).text for one in prompts]
