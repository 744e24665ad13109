"""What the seedling's skills are measured with."""

import math
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ddl_train.bench.critique import REDERIVED, auc, auc_interval, rederived, supports
from ddl_train.bench.pairs import PairSource
from ddl_train.bench.seedling import (
    SIZES,
    THRESHOLDS,
    SkillRow,
    measure,
    run,
    table,
    threshold_rows,
)
from ddl_train.bench.speaker import Speaker
from ddl_train.config import ModelConfig, WakeConfig, load_config
from ddl_train.engines.transformers_engine import load_engine
from ddl_train.errors import ConfigError, ModelError, RunError
from ddl_train.records import SilentProgress
from ddl_train.roles.critic import LogitCritic
from ddl_train.roles.prompts import load_pack
from ddl_train.world.language import chain, parse, write_idea
from tests.fakes import a_pair, a_proposal
from tests.tiny import make_tiny
from tests.worlds import ROOT, SEEDLING


@pytest.fixture(scope="module")
def source() -> PairSource:
    return PairSource(3)


def test_pairs_are_what_they_are_asked_as(source: PairSource) -> None:
    for pair in source.composing(40) + source.on_insights(40):
        a, b = parse(pair.a), parse(pair.b)
        assert a is not None and b is not None
        assert pair.idea is not None and pair.idea == chain(a, b)
    for pair in source.unlinked(40) + source.sharing(40):
        a, b = parse(pair.a), parse(pair.b)
        assert a is not None and b is not None
        assert pair.idea is None and chain(a, b) is None


def test_one_seed_gives_one_exam() -> None:
    assert PairSource(3).composing(5) == PairSource(3).composing(5)
    assert PairSource(3).composing(5) != PairSource(4).composing(5)


@pytest.fixture(scope="module")
def seedling() -> Speaker:
    if not SEEDLING.is_dir():
        pytest.skip("needs checkpoints/seedling")
    model = AutoModelForCausalLM.from_pretrained(SEEDLING, dtype=torch.float32).eval()
    return Speaker(model, AutoTokenizer.from_pretrained(SEEDLING))


def test_likelihoods_are_those_that_the_critic_admits_by(
    seedling: Speaker, source: PairSource
) -> None:
    linked = source.composing(6)
    ideas = [write_idea(*pair.idea) for pair in linked if pair.idea]
    astray = ideas[1:] + ideas[:1]
    judged = [(pair, text, True) for pair, text in zip(linked * 2, ideas + astray, strict=True)]
    config = WakeConfig(min_support=0.5, min_rederived=0.5)
    engine = load_engine(ModelConfig(base=str(SEEDLING), device="cpu", dtype="float32"))
    found, _ = LogitCritic(engine, load_pack("terse"), config).score(
        [a_proposal(text, pair=a_pair(pair.a, pair.b)) for pair, text, _ in judged]
    )
    assert [one and one.rederived for one in found] == pytest.approx(
        rederived(seedling, judged), rel=1e-3
    )
    assert [one and one.support for one in found] == pytest.approx(
        supports(seedling, judged), rel=1e-3
    )


def test_the_critics_goal_is_of_what_the_quickstart_refuses_by(seedling: Speaker) -> None:
    sizes = dict.fromkeys(SIZES, 6)  # too few pairs for a single idea: nothing to tell apart
    rows = [row for row in measure(seedling, 0, sizes) if row.skill.startswith("critic AUC")]
    assert [row.goal for row in rows if "its own" in row.skill and REDERIVED in row.skill] == [0.99]
    assert sum(row.goal is not None for row in rows) == 1


def test_home_is_known_by_heart_and_not_in_wordings_never_heard(seedling: Speaker) -> None:
    sizes = dict.fromkeys(SIZES, 2) | {"home": 80}
    home = {row.skill: row for row in measure(seedling, 0, sizes) if row.skill.startswith("home")}
    assert home["home world, probe wordings"].value > 0.95
    unheard = home["home world, wordings it never heard"]
    assert unheard.goal is None
    assert unheard.high < 0.95


@pytest.mark.parametrize(
    ("right", "wrong", "value"),
    [([3, 4], [1, 2], 1.0), ([1, 2], [3, 4], 0.0), ([1], [1], 0.5), ([2, 4], [1, 3], 0.75)],
)
def test_auc_counts_pairs(right: list[float], wrong: list[float], value: float) -> None:
    assert auc(right, wrong) == value
    low, high = auc_interval(value, len(right), len(wrong))
    assert low <= value <= high


def test_a_threshold_lets_in_what_reaches_it_and_keeps_out_the_rest(source: PairSource) -> None:
    pair = source.composing(1)[0]
    judged = [(pair, "", truth) for truth in (True, True, True, False, False)]
    rows = {row.skill: row for row in threshold_rows([0.96, 0.98, 0.999, 0.5, 0.98], judged)}
    at = {least: f"wake.min_rederived {least:.2f}" for least in THRESHOLDS}
    let_in = [rows[f"right ideas let in, {at[least]}"].value for least in (0.95, 0.98, 0.99)]
    assert let_in == pytest.approx([1, 2 / 3, 1 / 3])
    assert [rows[f"wrong ideas kept out, {at[least]}"].value for least in (0.98, 0.99)] == [0.5, 1]
    assert rows[f"wrong ideas kept out, {at[0.98]}"].num_items == 2


def test_the_quickstarts_threshold_is_one_that_is_shown() -> None:
    config = load_config(ROOT / "configs" / "quickstart.yaml")
    assert config.wake.min_rederived in THRESHOLDS


def test_auc_of_nothing_is_unknown_and_misses_its_goal() -> None:
    assert math.isnan(auc([1.0], []))
    row = SkillRow(skill="critic", value=math.nan, low=0.0, high=1.0, num_items=1, goal=0.99)
    assert not row.is_met()


def test_a_missed_goal_is_said_in_the_table() -> None:
    row = {"skill": "x", "value": 0.9, "low": 0.8, "high": 1, "num_items": 9, "goal": 0.97}
    assert "0.97 missed" in table({"rows": [row | {"is_met": False}]})
    assert "met" not in table({"rows": [row | {"goal": None, "is_met": True}]})


@pytest.mark.parametrize(
    ("value", "is_met", "state"),
    [
        (0.98, True, "met"),
        (0.9, False, "missed"),
        (0.9, True, "not missed"),
        (None, True, "not measured"),
    ],
)
def test_a_goal_is_met_only_by_a_value_that_reaches_it(
    value: float | None, is_met: bool, state: str
) -> None:
    row = {"skill": "x", "value": value, "low": 0.8, "high": 1, "num_items": 9, "goal": 0.97}
    assert table({"rows": [row | {"is_met": is_met}]}).endswith(f"| 9 | 0.97 {state} |")


def test_a_table_that_cannot_be_written_is_said_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder"):
        run(tmp_path, out=tmp_path, progress=SilentProgress())
    with pytest.raises(RunError, match="the folder cannot be made"):
        run(tmp_path, out=Path("/proc/x/y.json"), progress=SilentProgress())
    with pytest.raises(RunError, match="cannot be written"):
        run(tmp_path, out=Path("/proc/y.json"), progress=SilentProgress())
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="weights"):
        run(tmp_path, out=tmp_path / "new" / "table.json", progress=SilentProgress())
    assert not any((tmp_path / "new").iterdir())


def test_a_base_model_is_not_chatted_with(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no chat template"):
        run(make_tiny(tmp_path / "tiny", template=None), progress=SilentProgress())


def test_a_tokenizer_without_a_pad_token_is_spoken_to_as_with_one(tmp_path: Path) -> None:
    folder = make_tiny(tmp_path / "tiny")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    padded, bare = (AutoTokenizer.from_pretrained(folder) for _ in range(2))
    bare.pad_token = None
    asked, told = ["zorol", "what may relieve miritis?"], ["vakase", "zorol may relieve miritis"]
    said = []
    for tokenizer in (padded, bare):
        speaker = Speaker(model, tokenizer)
        replies = speaker.reply(asked, max_new_tokens=6)
        means = speaker.mean_log_likelihoods(asked, told, given=["", "zorol"])
        said.append((replies, means, speaker.expected_numbers(asked, [1, 2, 3])))
    assert said[0] == said[1]


def test_quick_misses_a_goal_only_where_the_whole_interval_does() -> None:
    row = SkillRow(skill="study", value=0.95, low=0.76, high=0.99, num_items=20, goal=0.97)
    assert not row.is_met()
    assert row.is_met(quick=True)
    assert not SkillRow(
        skill="study", value=0.5, low=0.3, high=0.7, num_items=20, goal=0.97
    ).is_met(quick=True)
