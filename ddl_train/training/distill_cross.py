"""On-policy distillation across tokenizers, through TRL's GOLD (experimental there).

The student's answer is read again as text by the teacher; spans of the same bytes are compared, and
what has no counterpart by its sorted probabilities (Patino et al., "Unlocking On-Policy
Distillation for Any Model Family", 2025). Both tokenizers must be byte-level BPE. The prompt too
goes as text: the teacher reads it in the student's chat markup.
"""

import copy
from collections.abc import Sequence
from typing import Any

from datasets import Dataset
from trl.experimental.gold import GOLDConfig, GOLDTrainer
from trl.experimental.utils import is_byte_level_tokenizer

from ddl_train.engines.transformers_engine import TransformersEngine


def can_cross(student: TransformersEngine, teacher: TransformersEngine) -> bool:
    """Whether both tokenizers are of the kind that can be aligned byte by byte."""
    return all(
        getattr(one.tokenizer, "backend_tokenizer", None) is not None
        and is_byte_level_tokenizer(one.tokenizer.backend_tokenizer)
        for one in (student, teacher)
    )


class _IdsTrainer(GOLDTrainer):
    """Takes prompts as token ids, and keeps count of tokens as TRL's other trainer does."""

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        return dataset

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        self.state.num_input_tokens_seen += int(inputs["attention_mask"].sum())
        return super().compute_loss(model, inputs, *args, **kwargs)  # type: ignore[no-untyped-call]


def make_cross_trainer(
    model: Any,
    judge: Any,
    peft_config: Any,
    ids: Sequence[Sequence[int]],
    student: TransformersEngine,
    teacher: TransformersEngine,
    settings: dict[str, Any],
) -> Any:
    """A trainer that lets the student answer `ids` and the teacher judge the text.

    Args:
        model: the student's base, with its LoRA or to be given one.
        judge: the teacher's model.
        peft_config: of a new LoRA; None where `model` has one.
        ids: prompts in the student's tokens.
        student: whose tokenizer writes.
        teacher: whose tokenizer reads.
        settings: fields of the trainer's config.
    """
    tokenizer = copy.deepcopy(student.tokenizer)
    rows = [
        {
            # the last token stands for an answer, which the student writes anew
            "input_ids": [*one, student.chat.eos_token_ids[-1]],
            "completion_mask": [0] * len(one) + [1],
            "prompt": tokenizer.decode(one),  # asked for, and not read
        }
        for one in ids
    ]
    arguments = GOLDConfig(
        **settings,
        lmbda=1.0,
        use_uld_loss=True,
        teacher_tokenizer_name_or_path=teacher.name,
        max_length=max(map(len, ids)) + settings["max_completion_length"] + 1,
    )
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1
    return _IdsTrainer(
        model=model,
        teacher_model=judge,
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=peft_config,
    )
