"""What one cycle asks, of every adapter alike: the items of all suites, chosen once.

Probes that stand in tonight's training rows are left out and counted in `notes`: the night wrote
those rows itself. Probes that stand in memory are the user's mistake, and `check_leaks` refuses
them before any night.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ddl_train.config import EvaluateConfig
from ddl_train.errors import ProbeError
from ddl_train.probes.files import is_probe_file, read_probes, read_text
from ddl_train.probes.iteration import make_puzzles
from ddl_train.probes.leaks import find_leaks, leaked, row_parts
from ddl_train.probes.score import Asked
from ddl_train.probes.seal import part_of
from ddl_train.probes.text import normalise
from ddl_train.probes.uptake import build_probes
from ddl_train.records import ConceptPair, Insight, Probe, StudyItem, TrainingRow, Usage

FILE_SUITES = ("truth", "retention", "skill", "false_memory")
SUITES = (
    "uptake",
    *FILE_SUITES,
    "context",
    "iteration",
    "lm_eval",
    "wake",
    "diversity",
    "critic",
)
"""All that can be asked for by name."""
HELD_OUT = "held-out documents"
"""Name of the text set that memory keeps from wake and sleep."""
QUESTIONS = "retention questions"
"""Name of the text set that stands in where there is no other: a question and its right answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Suites:
    """What one cycle asks, of every adapter alike."""

    asked: tuple[Asked, ...]
    texts: Mapping[str, tuple[str, ...]]
    """Text sets whose token loss and divergence from the base are measured, by name."""
    dreamt: Mapping[str, bool]
    """Normalised statement that a probe is about -> whether an admitted insight states it."""
    tonight: frozenset[int] = frozenset()
    """Insights that the adapter in use was not trained on."""
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What was left out, in sentences."""
    pairs: tuple[ConceptPair, ...] = ()
    """That every adapter dreams on, for `wake` and `diversity`."""
    usage: Usage = field(default_factory=Usage)
    """What choosing them has cost a model."""

    @property
    def num_items(self) -> int:
        return len(self.asked) + sum(map(len, self.texts.values())) + len(self.pairs)

    def with_more(
        self, *, asked: Sequence[Asked], pairs: Sequence[ConceptPair], usage: Usage
    ) -> "Suites":
        """The same, and questions and pairs that take a model's memory to choose."""
        return replace(
            self,
            asked=(*self.asked, *asked),
            pairs=(*self.pairs, *pairs),
            usage=self.usage + usage,
        )


def build_suites(
    config: EvaluateConfig,
    *,
    tonight: Sequence[Insight],
    earlier: Sequence[Insight],
    items: Iterable[StudyItem],
    held_out: Sequence[str],
    statements: Collection[str],
    rows: Sequence[TrainingRow] = (),
    seed: int = 0,
    is_sealed: bool = False,
) -> Suites:
    """Choose what is asked this cycle. Same arguments, same items in the same order.

    Args:
        config: files, caps, distractors.
        tonight: insights of this night; all are asked about before any earlier one.
        earlier: insights of earlier nights.
        items: probe items of all of them.
        held_out: texts of documents that wake and sleep never see.
        statements: conclusions of every insight admitted so far.
        rows: that the candidate was trained on.
        seed: of the run, the same in every cycle, so that samples stay as they are.
        is_sealed: ask the sealed third of every probe file, instead of the rest.

    Raises:
        ProbeError: a probe file cannot be read.
    """
    notes: list[str] = []
    suites, texts = _read_files(config, held_out, seed, is_sealed=is_sealed)
    if config.iteration is not None:
        suites["iteration"] = make_puzzles(config.iteration, seed=seed)
    suites = {"uptake": _uptake(config, tonight, earlier, items, seed)} | suites
    new = {insight.insight_id for insight in tonight}
    told = {normalise(statement) for statement in statements}
    row_texts = list(dict.fromkeys(part for row in rows for part in row_parts(row)))
    asked: list[Asked] = []
    dreamt: dict[str, bool] = {}
    for name, probes in suites.items():
        probes = _drop_leaks(name, identified(probes), row_texts, notes)
        about = {probe: normalise(probe.about) for probe in probes if probe.about is not None}
        dreamt |= {statement: statement in told for statement in about.values()}
        if name == "uptake":
            first, share = {one for one in probes if one.insight_id in new}, 1.0
        else:
            first, share = {one for one, about_it in about.items() if about_it in told}, 0.75
        chosen = _cap(probes, first, share, config.max_items, seed)
        asked += [Asked(name, one) for one in chosen]
    kept = [one.probe for one in asked if one.suite == "retention"]
    if kept and not texts:
        texts = {QUESTIONS: tuple(f"{one.prompt}\n{one.answers[0]}" for one in kept)}
    return Suites(
        asked=tuple(asked),
        texts=texts,
        dreamt=dreamt,
        tonight=frozenset(new),
        missing=tuple(_missing(config, {one.suite for one in asked}, texts)),
        notes=tuple(notes),
    )


def check_leaks(config: EvaluateConfig, texts: Iterable[str]) -> None:
    """Refuse probe files whose questions stand in memory.

    Raises:
        ProbeError: names the first probe that does, and how many do.
    """
    paths = [path for name in FILE_SUITES for path in getattr(config, name)]
    probes = [
        replace(probe, probe_id=f"{path} {probe.probe_id}")
        for path in dict.fromkeys(paths)
        if path not in config.retention or is_probe_file(path)
        for probe in read_probes(path)
    ]
    if probes and (found := find_leaks(probes, texts)):
        more = f" ({len(found) - 1} more)" if len(found) > 1 else ""
        raise ProbeError(
            f"{found[0]}{more}; a probe that the model can read while awake measures nothing: take "
            "it out of the probe file or the text out of memory.sources"
        )


def _read_files(
    config: EvaluateConfig, held_out: Sequence[str], seed: int, *, is_sealed: bool
) -> tuple[dict[str, list[Probe]], dict[str, tuple[str, ...]]]:
    """Probes of each suite that has files, and the texts whose loss is measured."""
    suites: dict[str, list[Probe]] = {}
    texts = {HELD_OUT: kept} if (kept := _cap_texts(held_out, config.max_items, seed)) else {}
    for name in FILE_SUITES:
        suites[name] = []
        for path in getattr(config, name):
            if name == "retention" and not is_probe_file(path):
                pieces = _paragraphs(read_text(path))
                texts[str(path)] = _cap_texts(pieces, config.max_items, seed)
            else:
                suites[name] += part_of(read_probes(path), is_sealed=is_sealed)
    return suites, texts


def _uptake(
    config: EvaluateConfig,
    tonight: Sequence[Insight],
    earlier: Sequence[Insight],
    items: Iterable[StudyItem],
    seed: int,
) -> list[Probe]:
    new = {insight.insight_id for insight in tonight}
    old = [insight for insight in earlier if insight.insight_id not in new]
    ranked = [
        *sorted(tonight, key=lambda one: _rank(seed, one.insight_id)),
        *sorted(old, key=lambda one: _rank(seed, one.insight_id)),
    ]
    return build_probes(
        ranked[: config.max_uptake_insights],
        items,
        num_distractors=config.num_distractors,
        seed=seed,
        others=ranked[config.max_uptake_insights :],
    )


def identified(probes: Iterable[Probe]) -> list[Probe]:
    """Ids that name the content too: an edited probe is another probe."""
    unique: dict[str, Probe] = {}
    for probe in probes:
        content = (probe.prompt, probe.answers, probe.choices, probe.context, probe.is_raw)
        probe_id = f"{probe.probe_id}#{_rank(*content)[:8]}"
        unique.setdefault(probe_id, replace(probe, probe_id=probe_id))
    return list(unique.values())


def _drop_leaks(
    suite: str, probes: list[Probe], row_texts: Sequence[str], notes: list[str]
) -> list[Probe]:
    found = leaked(probes, row_texts)
    if found:
        notes.append(f"{suite}: {len(found)} probes left out: they stand in training rows")
    return [probe for probe in probes if probe.probe_id not in found]


def _cap(probes: list[Probe], first: set[Probe], share: float, size: int, seed: int) -> list[Probe]:
    """At most `size`, in the order given: a sample, `first` having first call on `share` of it.

    So tonight's insights, and what was dreamt, are not drowned by a long list of other things.
    """
    ranked = sorted(probes, key=lambda probe: _rank(seed, probe.probe_id))
    kept = set([probe for probe in ranked if probe in first][: round(share * size)])
    kept |= set([probe for probe in ranked if probe not in kept][: size - len(kept)])
    return [probe for probe in probes if probe in kept]


def _cap_texts(texts: Sequence[str], size: int, seed: int) -> tuple[str, ...]:
    unique = [text for text in dict.fromkeys(texts) if text.strip()]
    kept = set(sorted(unique, key=lambda text: _rank(seed, text))[:size])
    return tuple(text for text in unique if text in kept)


def _paragraphs(text: str) -> list[str]:
    return [piece.strip() for piece in re.split(r"\n\s*\n", text) if piece.strip()]


def _missing(
    config: EvaluateConfig, measured: Collection[str], texts: Mapping[str, Sequence[str]]
) -> list[str]:
    missing = []
    if "uptake" not in measured:
        missing.append(
            "uptake: nothing can be asked; it takes insights with probe items that passed their "
            f"check, and for each {config.num_distractors} answers of the same kind that are wrong "
            "for it, from other insights: dream on more pairs, or admit more"
        )
    for name in FILE_SUITES:
        paths = [path for path in getattr(config, name) if path not in texts]
        if paths and name not in measured:
            missing.append(f"{name}: every probe of {', '.join(paths)} stands in training rows")
    missing += [f"retention: {name} holds no text" for name, pieces in texts.items() if not pieces]
    if "retention" not in measured and not texts:
        missing.append(
            "retention: no document is held out and evaluate.retention names no file; raise "
            "memory.held_out_share or name one"
        )
    return missing


def _rank(*parts: object) -> str:
    """A fixed pseudo-random order that does not depend on what else there is."""
    return hashlib.sha256(repr(parts).encode("utf-8")).hexdigest()
