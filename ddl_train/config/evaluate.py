"""Held-out probes, and the examination of the critic."""

from pydantic import Field

from ddl_train.config.stage import Share, StageConfig


class EvaluateConfig(StageConfig):
    """Held-out probes. A probe file is JSONL, Parquet, or a folder that `datasets` saved."""

    truth: list[str] = Field(default_factory=list)
    """Probe files of what ought to become known."""
    retention: list[str] = Field(default_factory=list)
    """Probe files and plain text files of what must not be forgotten."""
    skill: list[str] = Field(default_factory=list)
    """Probe files of what the base can do in context."""
    false_memory: list[str] = Field(default_factory=list)
    """Probe files whose `answers` are falsehoods that must not be believed."""
    num_distractors: int = Field(4, ge=1)
    """Wrong answers an uptake question is ranked against, taken from other insights."""
    max_uptake_insights: int = Field(200, gt=0)
    """Tonight's insights first, then a sample of earlier ones."""
    max_items: int = Field(1000, gt=0)
    """Cap on each suite; a seeded sample beyond."""
    max_new_tokens: int = Field(48, gt=0)
    """Of generated answers; a right answer that is longer gets the room it needs."""
    num_dream_pairs: int | None = Field(32, ge=10)
    """Pairs, never dreamt on, that every adapter dreams on for `diversity` and `wake`. None does
    not ask."""
    num_context: int | None = Field(24, gt=0)
    """Uptake questions asked again with the insight in the prompt, and with what memory holds
    nearest, for `context`. None does not ask."""
    num_retrieved: int = Field(3, gt=0)
    """Concepts of memory that a question of `context` is given."""
    iteration: int | None = Field(None, gt=0)
    """Puzzles of each kind and step of difficulty for `iteration` (word grids, cellular automata,
    Life). None does not ask: they say much about the base and little about a night."""
    lm_eval: list[str] = Field(default_factory=list)
    """Tasks of lm-evaluation-harness, by name or as a YAML file, that `ddl-train eval` asks beside
    the rest (extra `lm-eval`). No cycle asks them."""
    canaries_per_kind: int | None = Field(3, gt=0)
    """Proposals of each kind that the critic must refuse, before every night. None does not
    examine it; nor is it examined with `wake.guards` switched off."""
    num_good_ideas: int = Field(20, gt=0)
    """Admitted insights that the critic must still keep."""
    max_false_accepts: Share | None = 0.05
    """Largest share of canaries let in, guards on; beyond, the night does not start."""
    min_good_kept: Share | None = 0.8
    """Smallest share of good ideas kept; below, the night does not start."""
    min_trials: int = Field(20, gt=0)
    """Canaries, or good ideas, from which on these two bind."""
