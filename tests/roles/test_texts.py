"""Units of text: words, or characters where there are no spaces."""

import pytest

from ddl_train.roles.texts import common_content, content, ngrams, units


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Zorol lowers, vakase!", ["zorol", "lowers", "vakase"]),
        ("蜜蜂筑巢 in 2024", ["蜜", "蜂", "筑", "巢", "in", "2024"]),
        ("ミツバチの巣", ["ミ", "ツ", "バ", "チ", "の", "巣"]),
        ("ผึ้ง", ["ผ", "ึ", "้", "ง"]),
        ("꿀벌은 집을", ["꿀벌은", "집을"]),
        ("don't ＦＵＬＬ width", ["don't", "full", "width"]),
        ("", []),
    ],
)
def test_units_are_words_or_characters(text: str, expected: list[str]) -> None:
    assert units(text) == expected


def test_a_short_sequence_is_one_gram() -> None:
    assert ngrams(["a", "b"], 3) == [("a", "b")]


def test_content_forgets_endings_and_little_words() -> None:
    assert content("the mitochondria of cats") & content("mitochondrial cats") == {"mitoch", "cats"}
    assert "the" not in content("the cats")


def test_a_text_of_little_words_is_about_them() -> None:
    assert content("it is so") == {"it", "is", "so"}


def test_what_many_texts_share_tells_none_apart() -> None:
    texts = [f"high level{number} causes trouble{number}" for number in range(100, 120)]
    assert "causes" in common_content(texts)
    assert "level1" not in common_content(texts[:5])
    assert "causes" not in content("high vakase causes miritis", common_content(texts))
