"""Names, wordings and the rule of composition."""

import random

import pytest

from ddl_train.world.language import (
    ALIAS,
    ASIDE,
    CANONICAL,
    DOCUMENT,
    FILLER,
    HIGH_CAUSES,
    LOW_CAUSES,
    LOWERS,
    NOTE,
    RAISES,
    RELIEVES,
    WORSENS,
    Fact,
    canonical,
    chain,
    compose,
    document,
    is_sound,
    parse,
    parse_idea,
    write_idea,
)
from ddl_train.world.names import (
    ENDINGS,
    KINDS,
    MIDDLES,
    NAME_PATTERN,
    OPENINGS,
    NameSource,
    kind_of,
    make_name,
)

S, T = "veradol", "bodalide"
F, G, H = "belinase", "cotadflux", "dusimgen"
A = "koremitis"


def example(relation: str) -> Fact:
    return {
        RAISES: Fact(RAISES, S, F),
        LOWERS: Fact(LOWERS, F, G),
        HIGH_CAUSES: Fact(HIGH_CAUSES, F, A),
        LOW_CAUSES: Fact(LOW_CAUSES, F, A),
        ALIAS: Fact(ALIAS, F, G),
        RELIEVES: Fact(RELIEVES, S, A),
        WORSENS: Fact(WORSENS, S, A),
    }[relation]


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_tells_its_kind(kind: str) -> None:
    rng = random.Random(0)
    assert all(kind_of(make_name(rng, kind)) == kind for _ in range(200))


def test_there_are_a_million_names_of_each_kind() -> None:
    stems = len(set(OPENINGS)) * (len(set(MIDDLES)) + len(set(MIDDLES)) ** 2)
    assert all(stems * len(ENDINGS[kind]) > 1_000_000 for kind in KINDS)


def test_no_two_names_drawn_are_the_same() -> None:
    source = NameSource(random.Random(1), taken=frozenset({F}))
    names = [source.draw("factor") for _ in range(3000)]
    assert len(set(names)) == 3000
    assert F not in names


@pytest.mark.parametrize("relation", list(CANONICAL))
def test_every_wording_is_read_back_exactly(relation: str) -> None:
    fact = example(relation)
    wordings = [canonical(fact)] + [document(fact, i) for i in range(len(DOCUMENT[relation]))]
    assert len(set(wordings)) == len(wordings)
    assert [parse(f" {wording}. ") for wording in wordings] == [fact] * len(wordings)


def test_what_means_nothing_is_read_back_too() -> None:
    for relation, names in ((ASIDE, (S, F)), (NOTE, (S, "")), (FILLER, ("", ""))):
        for wording in range(len(DOCUMENT[relation])):
            fact = Fact(relation, *names, wording)
            assert parse(document(fact, 0)) == fact


def test_no_word_of_the_language_is_taken_for_a_name() -> None:
    texts = [*CANONICAL.values(), *(w for wordings in DOCUMENT.values() for w in wordings)]
    assert not [text for text in texts if NAME_PATTERN.search(text)]


@pytest.mark.parametrize(
    "sentence",
    [
        f"{F} raises {S}",  # a factor does not raise a substance
        f"{S} raises {S}",
        f"{F} raises {F}",
        f"high {S} causes {A}",
        f"{S} loves {F}",
        "veradol",
        "",
    ],
)
def test_what_is_no_statement_is_not_read(sentence: str) -> None:
    assert parse(sentence) is None


@pytest.mark.parametrize(
    ("first", "second", "conclusion"),
    [
        (Fact(RAISES, S, F), Fact(RAISES, F, G), Fact(RAISES, S, G)),
        (Fact(RAISES, S, F), Fact(LOWERS, F, G), Fact(LOWERS, S, G)),
        (Fact(LOWERS, F, G), Fact(LOWERS, G, H), Fact(RAISES, F, H)),
        (Fact(LOWERS, S, F), Fact(HIGH_CAUSES, F, A), Fact(RELIEVES, S, A)),
        (Fact(RAISES, S, F), Fact(LOW_CAUSES, F, A), Fact(RELIEVES, S, A)),
        (Fact(RAISES, S, F), Fact(HIGH_CAUSES, F, A), Fact(WORSENS, S, A)),
        (Fact(LOWERS, S, F), Fact(LOW_CAUSES, F, A), Fact(WORSENS, S, A)),
        (Fact(RAISES, F, G), Fact(HIGH_CAUSES, G, A), Fact(HIGH_CAUSES, F, A)),
        (Fact(LOWERS, F, G), Fact(HIGH_CAUSES, G, A), Fact(LOW_CAUSES, F, A)),
        (Fact(LOWERS, F, G), Fact(LOW_CAUSES, G, A), Fact(HIGH_CAUSES, F, A)),
        (Fact(RAISES, S, F), Fact(ALIAS, F, G), Fact(RAISES, S, G)),
        (Fact(RAISES, S, F), Fact(ALIAS, G, F), Fact(RAISES, S, G)),
        (Fact(ALIAS, F, G), Fact(HIGH_CAUSES, G, A), Fact(HIGH_CAUSES, F, A)),
        (Fact(ALIAS, G, F), Fact(LOWERS, G, H), Fact(LOWERS, F, H)),
        (Fact(RAISES, F, G), Fact(LOWERS, G, F), None),  # it would act on itself
        (Fact(RAISES, F, G), Fact(ALIAS, F, G), None),
        (Fact(ALIAS, F, G), Fact(ALIAS, G, H), None),
        (Fact(RAISES, S, F), Fact(RAISES, T, F), None),
        (Fact(RAISES, S, F), Fact(RAISES, G, H), None),
        (Fact(RELIEVES, S, A), Fact(HIGH_CAUSES, F, A), None),
        (Fact(ASIDE, S, F), Fact(RAISES, F, G), None),
    ],
)
def test_what_two_facts_compose_to(first: Fact, second: Fact, conclusion: Fact | None) -> None:
    assert compose(first, second) == conclusion
    assert chain(second, first) == (conclusion and (first, second, conclusion))
    assert conclusion is None or is_sound(conclusion)


def test_an_idea_is_read_back_exactly() -> None:
    first, second = Fact(LOWERS, S, F), Fact(HIGH_CAUSES, F, A)
    idea = (first, second, Fact(RELIEVES, S, A))
    text = write_idea(*idea)
    assert text == f"{S} lowers {F} and high {F} causes {A}, so {S} may relieve {A}"
    assert parse_idea(f"{text}.") == idea
    assert parse_idea(canonical(first)) is None
