"""A third of a probe file is sealed, and stays so whatever is added to the file."""

from pathlib import Path

import pyarrow
import pyarrow.parquet

from ddl_train.probes.files import read_probes
from ddl_train.probes.seal import MIN_PROBES, part_of
from ddl_train.records import Probe


def probes(count: int) -> list[Probe]:
    return [
        Probe(probe_id=f"q{n}", prompt=f"what is number {n}?", answers=(str(n),))
        for n in range(count)
    ]


def test_about_a_third_is_sealed_and_nothing_is_on_both_sides() -> None:
    everything = probes(600)
    sealed, open_ones = part_of(everything, is_sealed=True), part_of(everything, is_sealed=False)
    assert 150 < len(sealed) < 250
    assert sorted([*sealed, *open_ones], key=everything.index) == everything


def test_a_longer_file_moves_no_question_across() -> None:
    sealed = part_of(probes(60), is_sealed=True)
    assert part_of(probes(600), is_sealed=True)[: len(sealed)] == sealed


def test_a_short_file_is_left_whole() -> None:
    few = probes(MIN_PROBES - 1)
    assert part_of(few, is_sealed=True) == []
    assert part_of(few, is_sealed=False) == few


def test_the_same_questions_are_sealed_in_a_table(tmp_path: Path) -> None:
    rows = [{"id": p.probe_id, "prompt": p.prompt, "answers": p.answers} for p in probes(60)]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "q.parquet")
    read = read_probes(tmp_path / "q.parquet")
    assert part_of(read, is_sealed=True) == part_of(probes(60), is_sealed=True)
