"""The seedling's tokenizer, and the one that is shipped."""

import importlib
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from ddl_train.world.names import KINDS, make_name
from ddl_train.world.questions import RAISING_SKELETONS, UNHEARD_SKELETONS

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "checkpoints" / "seedling"
sys.path.insert(0, str(ROOT / "scripts"))
script: Any = importlib.import_module("seedling_tokenizer")


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return script.build_tokenizer()


def test_a_name_is_spelt_alike_wherever_it_stands(tokenizer: Any) -> None:
    rng = random.Random(0)
    for _ in range(300):
        name = make_name(rng, rng.choice(KINDS))
        spelt = tokenizer.tokenize(name)
        assert 3 <= len(spelt) <= 4 or name.startswith("given")
        for text in (f"high {name} causes", f"so {name}, and", f"what is {name}?"):
            told = tokenizer.tokenize(text)
            assert any(told[i : i + len(spelt)] == spelt for i in range(len(told)))


def test_every_word_of_the_language_is_one_token(tokenizer: Any) -> None:
    assert not [word for word in script.vocabulary_words() if len(tokenizer.tokenize(word)) != 1]


@pytest.mark.parametrize("wordings", [RAISING_SKELETONS, UNHEARD_SKELETONS])
def test_a_sign_is_asked_in_words_that_documents_and_probes_have_too(
    wordings: frozenset[str],
) -> None:
    words = {word.rstrip("?,") for text in wordings for word in text.split()}
    assert words - {"_"} <= set(script.vocabulary_words())


@pytest.mark.parametrize("text", ["Ünïcode, 漢字 and 🌱!", "tabs\tand\nlines", "MiXeD 12345"])
def test_any_text_survives(tokenizer: Any, text: str) -> None:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == f" {text}"


def test_the_chat_template_marks_the_answer_and_its_end(tokenizer: Any) -> None:
    messages = [
        {"role": "user", "content": "link a + b"},
        {"role": "assistant", "content": "NONE"},
    ]
    told = tokenizer.apply_chat_template(
        messages, return_dict=True, return_assistant_tokens_mask=True
    )
    asked = tokenizer.apply_chat_template(
        messages[:1], add_generation_prompt=True, return_dict=True
    )["input_ids"]
    assert told["input_ids"][: len(asked)] == asked
    marked = [i for i, m in zip(told["input_ids"], told["assistant_masks"], strict=True) if m]
    assert tokenizer.convert_ids_to_tokens(marked) == ["ĠNONE", tokenizer.eos_token]


@pytest.mark.skipif(not (SHIPPED / "tokenizer.json").is_file(), reason="no seedling here")
def test_the_shipped_tokenizer_is_the_one_that_is_built(tokenizer: Any) -> None:
    shipped = AutoTokenizer.from_pretrained(SHIPPED)
    assert shipped.get_vocab() == tokenizer.get_vocab()
    assert shipped.chat_template == tokenizer.chat_template
