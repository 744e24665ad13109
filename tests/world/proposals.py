"""Proposals for tests of what judges them."""

from ddl_train.records import BASE, Concept, ConceptPair, Proposal


def proposal(conclusion: str, *, reasoning: str = "", is_none: bool = False) -> Proposal:
    pair = ConceptPair(
        pair_number=0, a=_concept(2), b=_concept(1), sampler="uniform", probability=1.0
    )
    return Proposal(
        pair=pair,
        text=f"{reasoning}, so {conclusion}",
        reasoning=reasoning,
        conclusion=conclusion,
        is_none=is_none,
        adapter=BASE,
        num_prompt_tokens=10,
        num_completion_tokens=10,
    )


def _concept(number: int) -> Concept:
    return Concept(
        concept_id=number,
        text=f"concept {number}",
        kind="document",
        source="a.md",
        position=number,
        sha256=str(number),
    )
