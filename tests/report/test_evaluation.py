"""The table that `eval` prints."""

import io
from dataclasses import replace

from rich.console import Console

from ddl_train.records import BASE, EvalReport, ItemResult
from ddl_train.report.evaluation import evaluation_object, print_evaluation


def a_report(adapter: str, *, num_right: int, kl: float) -> EvalReport:
    items = tuple(
        ItemResult(
            probe_id=f"q{number}",
            suite="skill",
            kind="question",
            is_correct=number < num_right,
            margin=0.25 if number < num_right else -0.75,
            chance=0.0,
        )
        for number in range(8)
    )
    return EvalReport(
        adapter=adapter,
        cycle=0,
        items=items,
        losses={"held-out documents": (2.0, 3.0)},
        divergences={"held-out documents": (kl, 3 * kl)},
        figures={"diversity/commonest_opening": 0.125},
    )


BASE_REPORT = a_report(BASE, num_right=2, kl=0.0)
NIGHT = a_report("a1cf1a927eb6f921", num_right=6, kl=0.1)


def shown(*reports: EvalReport, width: int = 80) -> list[str]:
    stream = io.StringIO()
    print_evaluation(reports, Console(file=stream, width=width, highlight=False))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_divergence_stands_beside_the_loss() -> None:
    rows = {line.split("  ")[0]: line.split()[-3:] for line in shown(BASE_REPORT, NIGHT, width=120)}
    assert rows["KL to the base, held-out documents"] == ["0.000", "0.200", "2"]
    assert rows["token loss, held-out documents"] == ["2.500", "2.500", "2"]
    found = evaluation_object([BASE_REPORT, NIGHT], None)
    assert found["divergences"] == {"held-out documents": {BASE: 0.0, NIGHT.adapter: 0.2}}


def test_of_one_adapter_the_continuous_score_stands_beside_the_exact_match() -> None:
    _, head, row = shown(BASE_REPORT)[:3]
    assert head.split()[-3:] == ["score", "chance", "items"]
    assert row.split()[-3:] == ["-0.50", "0.0", "8"]
    assert "chance" in shown(BASE_REPORT, NIGHT)[1]
    assert "score" not in shown(BASE_REPORT, NIGHT)[1]


def test_in_eighty_columns_no_name_is_cut_and_no_interval_broken() -> None:
    lines = shown(BASE_REPORT, NIGHT)
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)
    (row,) = [line for line in lines if line.startswith("skill") and "+" in line]
    assert row.count("[") == row.count("]") == 2


def test_three_adapters_fit_eighty_columns_with_their_whole_names() -> None:
    other = replace(NIGHT, adapter="852a1412da28d6a8")
    lines = shown(BASE_REPORT, NIGHT, other)
    assert max(map(len, lines)) <= 80
    (row,) = [line for line in lines if line.startswith("skill") and "+" not in line]
    assert row.split("  ")[0] == "skill" and row.count("]") == 3
    first, second = lines[0].split()[-2:], lines[1].split()[-4:-2]
    assert ["".join(parts) for parts in zip(first, second, strict=True)] == [
        NIGHT.adapter,
        other.adapter,
    ]


def test_an_adapter_that_was_asked_less_has_a_dash() -> None:
    bare = replace(NIGHT, losses={}, divergences={})
    (line,) = [one for one in shown(BASE_REPORT, bare, width=120) if one.startswith("KL")]
    assert line.split()[-3:] == ["0.000", "-", "2"]
