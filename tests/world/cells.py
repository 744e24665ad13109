"""Cells of the world bench, made by hand."""

from collections.abc import Sequence
from typing import Any

from ddl_train.records import JsonObject

DISCOVERY: JsonObject = {
    "cycle": 0,
    "num_pairs": 100,
    "num_opportunities": 5,
    "num_taken": 5,
    "num_opportunities_across": 2,
    "num_taken_across": 2,
    "proposed": {"true": 6},
    "admitted": {"true": 4},
    "by_lineage": {"1": {"true": 3}, "2": {"true": 1}},
    "new_by_depth": {"1": 4},
    "num_resting": 1,
}


def an_exam(
    in_use: Sequence[str],
    *,
    uptake: Sequence[tuple[int, dict[str, str]]] = ((0, {"base": "0000000001", "": "1111111110"}),),
    num_believed: int = 1,
) -> JsonObject:
    """An exam in which `base` and what was in use sat.

    Args:
        in_use: after each cycle.
        uptake: for each cycle with insights, who got which of its forward questions right; the name
            "" stands for everyone else.
        num_believed: flips of ten that everyone but the base believes.
    """
    items: list[list[Any]] = []
    answers = dict.fromkeys(("base", "told", "retrieved", *in_use), "")
    for cycle, marks in uptake:
        size = len(next(iter(marks.values())))
        items += [["uptake/forward", f"{cycle}/{n}", cycle] for n in range(size)]
        for who in answers:
            told = "1" * size if who in ("told", "retrieved") else None
            answers[who] += told or marks.get(who, marks.get("", "0" * size))
    items += [["flip", f"flip {n}", 0] for n in range(10)]
    items += [
        ["home/replayed", "a", None],
        ["home/replayed", "a", None],
        ["home/replayed", "b", None],
    ]
    items += [["home/never replayed", "c", None], ["skill", "d", None], ["skill", "e", None]]
    for who in answers:
        believed = 5 if who == "base" else num_believed
        answers[who] += "1" * believed + "0" * (10 - believed)
        answers[who] += "111111" if who == "base" else "011111"
    return {"items": items, "in_use": list(in_use), "num_choices": 5, "answers": answers}


def cell(**changes: Any) -> JsonObject:
    """One cycle of the default arm on the small preset, with changes."""
    shares = {"truth_undreamt/all": [3, 10]}
    made: JsonObject = {
        "arm": "default",
        "seed": 1,
        "preset": "small",
        "num_cycles": 1,
        "world": {"num_true": {"1": 40}},
        "discovery": [DISCOVERY],
        "suites": [{"cycle": 0, "adapter": "x", "base": shares, "in_use": shares, "kl": 0.5}],
        "answers": {"num_samples": 4, "questions": [], "said": {"base": [], "x": [], "told": []}},
        "exam": an_exam(["x"]),
        "usage": {"generator": {"tokens": 400, "seconds": 3.0}},
        "nights": [
            {
                "cycle": 0,
                "promoted": True,
                "reasons": [],
                "tokens": 1000,
                "seconds": 2.0,
            }
        ],
        "leaks": [],
        "paired_waking": None,
    }
    return made | changes
