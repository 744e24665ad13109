"""Whatever a report holds comes back as it was."""

import math
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ddl_train.records import EvalReport, ItemResult, Usage
from ddl_train.storage.history import dump_report, load_report

words = st.text(st.characters(codec="utf-8"), max_size=12)
items = st.builds(
    ItemResult,
    probe_id=words,
    suite=words,
    kind=words,
    is_correct=st.booleans(),
    margin=st.floats(allow_nan=False),
    chance=st.floats(0, 1),
    answer=st.none() | words,
    cluster=words,
    is_dreamt=st.none() | st.booleans(),
    is_tonight=st.none() | st.booleans(),
)
reports = st.builds(
    EvalReport,
    adapter=words,
    cycle=st.integers(0, 99),
    items=st.lists(items, max_size=4).map(tuple),
    losses=st.dictionaries(
        words, st.lists(st.floats(allow_nan=False), max_size=3).map(tuple), max_size=2
    ),
    divergences=st.dictionaries(
        words, st.lists(st.floats(allow_nan=False), max_size=3).map(tuple), max_size=2
    ),
    missing=st.lists(words, max_size=2).map(tuple),
    usage=st.builds(Usage, num_prompt_tokens=st.integers(0), seconds=st.floats(0, 1e9)),
)


@settings(deadline=None, max_examples=50)
@given(reports)
def test_a_report_survives_storage_unchanged(report: EvalReport) -> None:
    assert load_report(dump_report(report)) == report


def a_report_with(margin: Any) -> EvalReport:
    item = ItemResult(
        probe_id="p", suite="s", kind="k", is_correct=False, margin=margin, chance=0.0
    )
    return EvalReport(adapter="base", cycle=0, items=(item,))


def test_what_is_no_number_stays_none() -> None:
    assert math.isnan(load_report(dump_report(a_report_with(math.nan))).items[0].margin)


def test_numbers_of_numpy_come_back_as_plain_ones() -> None:
    margin = load_report(dump_report(a_report_with(np.float32(0.1)))).items[0].margin
    assert margin == float(np.float32(0.1))
