"""Context self-distillation: what the base says with an insight in view becomes what it says without."""

from pathlib import Path

import pytest
import torch

from ddl_train.config import ModelConfig, SleepConfig
from ddl_train.engines.transformers_engine import TransformersEngine, load_engine
from ddl_train.errors import Interrupted
from ddl_train.records import BASE, Continuation, Insight, Scores, StudyItem, TrainingRow
from ddl_train.roles.prompts import load_pack
from ddl_train.training.running import TrainedAdapter
from ddl_train.training.self_distill import prompts_in_context, train_self_distill
from tests.training.nights import quick, some_rows, tiny_engine

CONFIG = quick(objective="sdft", lora_dropout=0.0, sdft={"max_completion_length": 6})
GENERAL = [TrainingRow(prompt=f"say {n}", completion="", origin="general") for n in range(4)]
SCORES = Scores(novelty=9, coherence=9, utility=9)
FACTS = (
    ("dolotium", "kefergen", "raferminemia"),
    ("vatelone", "bunadlotase", "hadostorosis"),
    ("glumotate", "socemkemase", "drusoralgia"),
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> TransformersEngine:
    return tiny_engine(tmp_path_factory.mktemp("base") / "tiny")


def train(
    engine: TransformersEngine, out_dir: Path, config: SleepConfig = CONFIG, stop_after: int = 999
) -> TrainedAdapter:
    asked = iter(range(stop_after))
    return train_self_distill(
        engine,
        some_rows(),
        {row.prompt: f"given {row.completion}: {row.prompt}" for row in some_rows()},
        GENERAL,
        config,
        out_dir=out_dir,
        seed=1,
        should_stop=lambda: next(asked, None) is None,
    )


def weights(made: TrainedAdapter) -> bytes:
    assert made.dir is not None, made.failed_because
    return (made.dir / "adapter_model.safetensors").read_bytes()


def insights() -> list[Insight]:
    return [
        Insight(
            insight_id=number,
            concept_id=100 + number,
            text=f"{s} lowers {f} and high {f} causes {a}, so {s} may relieve {a}",
            reasoning=f"{s} lowers {f} and high {f} causes {a}",
            conclusion=f"{s} may relieve {a}",
            parents=(1, 2),
            depth=1,
            cycle=0,
            adapter=BASE,
            scores=SCORES,
            rationale=None,
            parent_texts=(f"{s} lowers {f}", f"high {f} causes {a}"),
        )
        for number, (s, f, a) in enumerate(FACTS)
    ]


def items() -> list[StudyItem]:
    return [
        StudyItem(insight_id=number, kind="forward", question=f"what may {s} relieve?", answer=a)
        for number, (s, _, a) in enumerate(FACTS)
    ]


def test_the_teacher_reads_both_concepts_and_the_insight_and_the_student_none() -> None:
    pack = load_pack("terse")
    [asked, *_], [shown, *_] = zip(
        *prompts_in_context(insights(), items(), pack).items(), strict=True
    )
    assert asked == "what may dolotium relieve?"
    assert shown.startswith(
        "given dolotium lowers kefergen | high kefergen causes raferminemia | "
        "dolotium lowers kefergen and high kefergen causes raferminemia, so dolotium may relieve raferminemia | "
    )
    assert shown.endswith(asked)


def test_a_stopped_night_goes_on_to_the_same_bytes_and_leaves_the_base_as_it_was(
    engine: TransformersEngine, tmp_path: Path
) -> None:
    with engine.lend_base() as base:
        before = {name: tensor.clone() for name, tensor in base.state_dict().items()}
        settings = (base.generation_config, base.config.to_dict())
    whole = train(engine, tmp_path / "whole")
    with pytest.raises(Interrupted):
        train(engine, tmp_path / "stopped", stop_after=2)
    torch.rand(3)  # the state of the global generator has no say
    assert weights(train(engine, tmp_path / "stopped")) == weights(whole)
    assert weights(train(engine, tmp_path / "whole")) == weights(whole)  # done is not done again
    with engine.lend_base() as base:
        assert all(torch.equal(before[name], one) for name, one in base.state_dict().items())
        assert (base.generation_config, base.config.to_dict()) == settings
        assert "forward" not in base.__dict__


def test_a_recovery_goes_on_from_the_night_and_costs_tokens_of_its_own(
    engine: TransformersEngine, tmp_path: Path
) -> None:
    plain = train(engine, tmp_path / "plain")
    sdft = CONFIG.sdft.model_copy(update={"recovery_share": 0.5})
    recovered = train(engine, tmp_path / "both", CONFIG.model_copy(update={"sdft": sdft}))
    assert weights(recovered) != weights(plain)
    assert recovered.usage.num_tokens > plain.usage.num_tokens > 0
    assert recovered.metrics["num_rows"] == plain.metrics["num_rows"] == 10


def test_rows_that_are_too_long_with_their_context_are_left_out_and_counted(
    engine: TransformersEngine, tmp_path: Path
) -> None:
    long = {some_rows()[0].prompt: "word " * 400}
    made = train_self_distill(
        engine, some_rows(), long, [], CONFIG, out_dir=tmp_path / "night", seed=1
    )
    assert made.metrics["num_too_long"] == 1


@pytest.mark.parametrize("wrong", [{"packing": True}, {"method": "merge"}])
def test_what_sdft_cannot_do_is_said(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="objective sdft takes neither packing nor method merge"):
        quick(objective="sdft", **wrong)


def test_noise_is_not_for_sdft() -> None:
    with pytest.raises(ValueError, match="neftune_noise_alpha is 5 and objective 'sdft'"):
        quick(objective="sdft", neftune_noise_alpha=5)


@pytest.mark.slow
def test_a_seedling_answers_closed_book_what_it_answered_in_context(tmp_path: Path) -> None:
    engine = load_engine(ModelConfig(base="checkpoints/seedling", device="cpu", batch_size=16))
    pack = load_pack("terse")
    in_context = prompts_in_context(insights(), items(), pack)
    rows = [
        TrainingRow(prompt=asked, completion="", origin="new", insight_id=number)
        for number, asked in enumerate(in_context)
    ]
    made = train_self_distill(
        engine,
        rows * 40,
        in_context,
        [],
        quick(
            objective="sdft",
            r=16,
            lora_alpha=32,
            lora_dropout=0.0,
            learning_rate=2.5e-3,
            per_device_train_batch_size=6,
            sdft={"max_completion_length": 12},
        ),
        out_dir=tmp_path / "night",
        seed=1,
    )
    assert made.dir is not None
    engine.load_adapter("night", made.dir)
    asked = [Continuation(prompt=item.question, continuation=item.answer) for item in items()]
    before, _ = engine.loglikelihood(asked, adapter=BASE)
    after, _ = engine.loglikelihood(asked, adapter="night")
    assert all(late.mean > early.mean + 1 for early, late in zip(before, after, strict=True))
