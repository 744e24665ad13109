"""Every shipped config loads, and what is wrong with a config is said in one sentence."""

import json
from pathlib import Path

import pytest

from ddl_train.config import (
    Config,
    changed_keys,
    dump_yaml,
    is_changeable,
    json_schema,
    load_config,
)
from ddl_train.errors import ConfigError

CONFIGS = Path(__file__).parent.parent / "configs"
SMALLEST = "model: {base: some/model}\nmemory: {sources: [notes]}\n"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_config_loads_and_is_named_after_its_file(path: Path) -> None:
    assert load_config(path).name == path.stem


@pytest.mark.parametrize(
    "name", ["quickstart", "smollm2-135m-cpu", "qwen3-0.6b-24gb", "qwen3-8b-80gb", "qwen3-8b-qlora"]
)
def test_the_promised_configs_are_there(name: str) -> None:
    assert (CONFIGS / f"{name}.yaml").is_file()


@pytest.mark.parametrize(
    ("text", "overrides", "sentence"),
    [
        ("wake: {num_pair: 3}", [], "wake has unknown key 'num_pair'; did you mean 'num_pairs'?"),
        ("waek: {}", [], "has unknown key 'waek'; did you mean 'wake'?"),
        ("", ["sleep.leraning_rate=1"], "did you mean 'learning_rate'?"),
        ("", ["wake.sampler.unifrom=1"], "did you mean 'uniform'?"),
        ("", ["wake.num_pairs=-3"], "wake.num_pairs: got -3"),
        ("", ["sleep.r=0"], "sleep.r: got 0"),
        ("", ["sleep.learning_rate=.nan"], "sleep.learning_rate: got nan"),
        ("", ["wake.temperature=.inf"], "wake.temperature: got inf"),
        ("", ["wake.num_pairs=many"], "wake.num_pairs: got 'many'"),
        ("", ["wake.min_novelty=11"], "wake.min_novelty: got 11"),
        ("", ["wake.cascade.screen={ask: support, least: 5}"], "expected 0 to 1, the scale of"),
        ("", ["wake.cascade.screen={ask: coherence, least: 0}"], "expected 1 to 10, the scale of"),
        ("", ["wake.cascade.second={top_share: 0.2}"], "give either server or local"),
        ("", ["wake.cascade.distance={least: 1, most: 0.5}"], "least 1 must be below most 0.5"),
        ("", ["wake.sampler={uniform: 0}"], "give at least one a positive share"),
        ("", ["model.device=tpu"], "model.device: got 'tpu'"),
        ("", ["memory.sources=[]"], "memory.sources"),
        ("", ["name=a/b"], "name is 'a/b'"),
        ("", ["name=../x"], "name is '../x'"),
        ("", ["name=[1]"], "name: got [1]"),
        ("", ["wake"], "not of the form section.key=value"),
        ("", ["wake.num_pairs.x=1"], "wake.num_pairs: got {'x': 1}"),
        ("", ["seed.x.y=1"], "seed: got {'x': {'y': 1}}"),
        ("seed: 3", ["seed.x=1"], "'seed' is a value, not a section"),
        ("", ["seed=[1"], "is not a YAML value"),
        ("seed: 1\nseed: 2", [], "key 'seed' is written twice"),
        ("seed: [1", [], "expected a YAML mapping"),
        ("x: !!python/object/apply:os.getcwd []", [], "could not determine a constructor"),
    ],
)
def test_a_wrong_config_says_what_and_where(
    tmp_path: Path, text: str, overrides: list[str], sentence: str
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(SMALLEST + text)
    with pytest.raises(ConfigError, match=r"mine\.yaml|override|^command line: ") as caught:
        load_config(path, overrides)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "no such config file"),
        (b"", "expected a mapping"),
        (b"- a\n- b\n", "expected a mapping"),
        (b"\xff\xfe\x00", "UTF-8"),
    ],
)
def test_a_file_that_is_no_config_is_named(
    tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    path = tmp_path / "mine.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"mine\.yaml") as caught:
        load_config(path)
    assert sentence in str(caught.value)


def test_a_resolved_config_reads_back_the_same(tmp_path: Path) -> None:
    config = load_config(CONFIGS / "quickstart.yaml", ["wake.num_pairs=9"])
    path = tmp_path / "quickstart.yaml"
    path.write_text(dump_yaml(config))
    assert load_config(path) == config


def test_what_changed_is_listed_and_the_base_may_not_change() -> None:
    old = load_config(CONFIGS / "quickstart.yaml")
    new = load_config(CONFIGS / "quickstart.yaml", ["num_cycles=9", "model.base=other"])
    assert changed_keys(old, new) == [("model.base", old.model.base, "other"), ("num_cycles", 3, 9)]
    assert is_changeable("num_cycles")
    assert is_changeable("wake.num_pairs")
    assert not is_changeable("model.base")
    assert not is_changeable("seed")


def test_the_schema_names_every_stage() -> None:
    assert set(json.loads(json_schema())["properties"]) == set(Config.model_fields)


@pytest.mark.parametrize(
    "name", ["smollm2-135m-cpu", "qwen3-0.6b-24gb", "qwen3-8b-80gb", "qwen3-8b-qlora"]
)
def test_what_can_be_dreamt_can_be_trained_on(name: str) -> None:
    config = load_config(CONFIGS / f"{name}.yaml")
    assert config.sleep.max_length >= config.model.max_length


def written(folder: Path, text: str = "") -> Path:
    path = folder / "ok.yaml"
    path.write_text("model: {base: x}\nmemory: {sources: [a.md]}\n" + text)
    return path


def test_a_mistake_on_the_command_line_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path), ["evaluate.num_dream_pairs=3"])
    assert str(caught.value).startswith("command line: evaluate.num_dream_pairs: got 3; ")


def test_mistakes_of_both_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path, "sleep: {r: 0}\n"), ["wake.num_pairs=0"])
    said = str(caught.value)
    assert "command line: wake.num_pairs: got 0" in said
    assert "ok.yaml: sleep.r: got 0" in said


def test_a_check_of_a_section_does_not_print_the_section(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path), ["sleep.replay_share=0.9", "sleep.general_share=0.5"])
    said = str(caught.value)
    assert said.startswith("command line: sleep: replay_share, general_share and no_link_share")
    assert "{" not in said


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("wake.num_pairs=sixteen", "got 'sixteen'; expected a whole number"),
        ("wake.num_pairs=1.5", "got 1.5; expected a whole number"),
        ("wake.num_pairs=-1", "got -1; expected more than 0"),
        ("evaluate.num_dream_pairs=3", "got 3; expected 10 or more"),
        ("promote.confidence=1.0", "got 1.0; expected less than 1"),
        ("sleep.learning_rate=fast", "got 'fast'; expected a number"),
        ("sleep.learning_rate=.nan", "got nan; expected a finite number"),
        ("memory.sources=", "got nothing; expected a list"),
        ("memory.sources=[]", "got []; expected a list of 1 or more"),
        ("memory.sources=[3]", "got 3; expected text"),
        ("model.load_in_4bit=perhaps", "got 'perhaps'; expected true or false"),
        ("memory.unit=paragraph", "got 'paragraph'; expected 'sentence' or 'chunk'"),
    ],
)
def test_what_was_expected_is_said_in_plain_words(
    tmp_path: Path, override: str, sentence: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path), [override])
    assert str(caught.value).endswith(f": {sentence}")


def test_a_value_in_place_of_a_section_is_said_in_plain_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^ok\.yaml: wake: got 3; expected a section with keys$"):
        load_config(written(tmp_path, "wake: 3\n"))
