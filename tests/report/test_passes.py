"""The time of a cycle has a floor: every call of a model costs something, however small it is."""

from pathlib import Path
from typing import Any

import pytest

from ddl_train.config import Config, SleepConfig, parse_config
from ddl_train.records import Chunk
from ddl_train.report.footprint import ModelShape
from ddl_train.report.machine import Machine
from ddl_train.report.passes import Range, count_passes, rows_of_last_night
from ddl_train.report.plan import Corpus, Plan, make_plan
from ddl_train.roles.prompts import load_pack

TINY = ModelShape(
    architecture="Tiny",
    num_parameters=1000,
    num_linear_parameters=500,
    num_layers=5,
    hidden=8,
    query=8,
    key_value=8,
    intermediate=16,
    vocabulary=32,
    linear=(("q_proj", 8, 8),),
)


def a_config(**stages: Any) -> Config:
    values = {"name": "x", "model": {"base": "tiny"}, "memory": {"sources": ["notes"]}}
    return parse_config(values | stages, where="x")


def passes(**stages: Any) -> Range:
    return count_passes(a_config(**stages), num_insights=4, num_asked=10, num_rows=80)


def seconds(layer_seconds: float, *, flops: float = 1e12) -> Range:
    return plan(layer_seconds, flops=flops).seconds


def plan(layer_seconds: float = 0.0, *, flops: float = 1e12, **stages: Any) -> Plan:
    machine = Machine(
        device="cpu", name="x", num_bytes=10**12, flops=flops, layer_seconds=layer_seconds
    )
    chunks = [
        Chunk(text=f"fact {n}", source=f"{n}.md", position=0, source_sha256=str(n))
        for n in range(4)
    ]
    return make_plan(
        a_config(**stages),
        shape=TINY,
        machine=machine,
        corpus=Corpus(chunks=chunks, held_out_share=0.1),
        prompts=load_pack("terse"),
        count=lambda message: len(message.split()),
        num_probes=5,
    )


def test_what_is_read_again_is_counted_with_the_scores() -> None:
    plain, support, again = (
        passes(wake=wake) for wake in ({}, {"min_support": 0.5}, {"min_rederived": 0.5})
    )
    assert again.high - plain.high == 2 * (support.high - plain.high) > 0


def test_what_is_read_again_is_planned_in_tokens_of_both_orders() -> None:
    plain, support, again = (
        plan(wake=wake).wake_tokens for wake in ({}, {"min_support": 0.5}, {"min_rederived": 0.5})
    )
    assert again.high - plain.high == pytest.approx(2 * (support.high - plain.high))
    assert support.high > plain.high
    assert again.low == plain.low


def test_a_tiny_model_takes_as_long_as_its_calls() -> None:
    by_arithmetic, real = seconds(0.0), seconds(0.002)
    assert by_arithmetic.high < 1
    assert real.low > 10 * by_arithmetic.low
    assert real.high > 10 * by_arithmetic.high


def test_a_slow_layer_costs_in_proportion() -> None:
    fast, slow = seconds(0.001, flops=1e30), seconds(0.003, flops=1e30)
    assert slow.low == pytest.approx(3 * fast.low)
    assert slow.high == pytest.approx(3 * fast.high)


@pytest.mark.parametrize(
    ("more", "moves"),
    [
        ({"wake": {"num_pairs": 512}}, "both"),
        ({"wake": {"batch_size": 8}}, "both"),  # the same pairs in more calls
        ({"wake": {"max_new_tokens": 400}}, "high"),
        ({"sleep": {"per_device_train_batch_size": 2}}, "both"),
        ({"evaluate": {"num_dream_pairs": 320}}, "both"),
    ],
)
def test_more_calls_are_counted_as_more(more: dict[str, Any], moves: str) -> None:
    before, after = passes(), passes(**more)
    assert after.high > before.high
    assert (after.low > before.low) == (moves == "both")


def test_a_larger_batch_takes_fewer_calls() -> None:
    small = passes(model={"base": "tiny", "batch_size": 4})
    assert passes().high < small.high


def test_a_layer_is_timed_on_this_machine(tmp_path: Path) -> None:
    from ddl_train.config import ModelConfig
    from ddl_train.report.machine import read_machine

    machine = read_machine(ModelConfig(base=str(tmp_path), device="cpu"))
    assert 0 < machine.layer_seconds < 1


def test_the_last_night_from_the_base_has_all_insights_and_others_have_their_share() -> None:
    shares = {"kinds": ["forward"], "replay_share": 0.5, "general_share": 0, "no_link_share": 0}
    anew = SleepConfig(method="from_base", num_train_epochs=2, **shares)
    assert rows_of_last_night(anew, per_cycle=10, num_cycles=4) == 80
    on = SleepConfig(method="continue", num_train_epochs=2, **shares)
    assert rows_of_last_night(on, per_cycle=10, num_cycles=4) == 40


def test_no_night_is_planned_longer_than_its_steps() -> None:
    config = SleepConfig(num_train_epochs=20, max_steps=3, per_device_train_batch_size=4)
    assert rows_of_last_night(config, per_cycle=10, num_cycles=4) == 12
