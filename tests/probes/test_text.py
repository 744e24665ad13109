"""Answers are compared by what they say, in every script."""

import pytest

from ddl_train.probes.text import is_unspaced, normalise, units


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("  Salt. ", "salt"),
        ("Ｓａｌｔ", "salt"),
        ("the  heat-shock\nprotein", "the heat shock protein"),
        ("STRASSE", "straße"),
        ("蜂巢。", "蜂巢"),
        ("\u22121", "-1"),
        ("2-1", "2 1"),
    ],
)
def test_normalised_alike(text: str, same_as: str) -> None:
    assert normalise(text) == normalise(same_as)


@pytest.mark.parametrize(
    ("text", "other"), [("salt", "salts"), ("+1", "-1"), ("-1", "1"), ("?", "!"), ("", ".")]
)
def test_normalised_apart(text: str, other: str) -> None:
    assert normalise(text) != normalise(other)


def test_units_are_words_or_characters() -> None:
    assert units("The bee's 蜂巢 is แดง") == ["the", "bee", "s", "蜂", "巢", "is", "แ", "ด", "ง"]
    assert is_unspaced(units("蜂巢是六边形的"))
    assert not is_unspaced(units("the hive is a hexagon"))
