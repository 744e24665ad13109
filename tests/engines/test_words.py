"""Texts lie near each other when they share names, not when they share grammar."""

import numpy as np
import pytest

from ddl_train.engines.words import WordEmbedder, words


def cosine(a: str, b: str) -> float:
    rows, _ = WordEmbedder().embed([a, b])
    return float(rows[0] @ rows[1])


def test_a_shared_name_counts_more_than_shared_grammar() -> None:
    text = "more dolotium means more kefergen"
    shares_a_name = cosine(text, "behind raferminemia stands scarce kefergen")
    assert shares_a_name > cosine(text, "more toremate means more volintone") > 0
    assert cosine(text, f"{text}.") == pytest.approx(1.0)


def test_rows_are_unit_and_the_same_every_time() -> None:
    texts = ["", "...", "one", "Zwei Wörter", "蜜蜂的蜂巢是六边形的", "x" * 500]
    first, usage = WordEmbedder().embed(texts)
    again, _ = WordEmbedder().embed(texts)
    assert first.dtype == np.float32
    assert np.allclose(np.linalg.norm(first, axis=1), 1)
    assert np.array_equal(first, again)
    assert usage.num_tokens == 0


def test_scripts_without_spaces_are_cut_in_twos() -> None:
    assert words("Ｂees 蜜蜂的蜂巢") == ["bees", "蜜蜂", "蜂的", "的蜂", "蜂巢"]
    assert cosine("蜜蜂的蜂巢", "蜂巢很大") > cosine("蜜蜂的蜂巢", "今天下雨了")


def test_no_text_gives_no_rows() -> None:
    rows, _ = WordEmbedder().embed([])
    assert rows.shape == (0, 1024)
