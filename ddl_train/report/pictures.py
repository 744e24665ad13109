"""All pictures of a report, each with what it shows in words. What was not measured has none."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from markupsafe import Markup
from matplotlib.figure import Figure

from ddl_train.probes.dreams import SUITES as DREAM_SUITES
from ddl_train.records import LIKELIHOODS, Insight, Scores
from ddl_train.report.canvas import PAPER, VARIABLES, Palette, png_of, svg_of
from ddl_train.report.clouds import map_figure, scores_figure
from ddl_train.report.curves import Curve, Point
from ddl_train.report.material import Material
from ddl_train.report.plots import Line, curve_figure, line_figure
from ddl_train.report.words import amount, count, share

DRAWN = ("diversity/vendi_score", "diversity/self_bleu", "diversity/commonest_opening")
Draw = Callable[[Palette], Figure]


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """One plot, for the page and as a file."""

    name: str
    """Of the PNG without its ending; unique on a page."""
    title: str
    note: str
    """What the figures are of, under the title; may be empty."""
    svg: Markup
    png: bytes


def picture(name: str, title: str, alt: str, draw: Draw, note: str = "") -> Picture:
    """Draw it twice, once with the page's colours and once on white."""
    return Picture(
        name=name,
        title=title,
        note=note,
        svg=Markup(svg_of(draw(VARIABLES), name, alt)),
        png=png_of(draw(PAPER), title),
    )


def suite_pictures(material: Material) -> list[Picture]:
    """A picture for each suite."""
    return _curves("suite", material.suites, material)


def loss_pictures(material: Material) -> list[Picture]:
    """Token loss, and KL to the base, of each set of retention texts."""
    losses = _curves("loss", material.losses, material)
    return [*losses, *_curves("kl", material.divergences, material)]


def figure_pictures(material: Material) -> list[Picture]:
    """The telling ones among the figures of whole suites; the others stand in the table."""
    return _curves("figure", [one for one in material.figures if one.name in DRAWN], material)


def dream_pictures(material: Material) -> list[Picture]:
    """Ideas, insights and what they cost, by cycle."""
    cycles = material.status["cycles"]
    dreamt = [one for one in cycles if one["counts"]["pairs"]]
    if not dreamt:
        return []
    so_far: list[tuple[int, float]] = []
    resting: list[tuple[int, float]] = []
    for one in dreamt:
        counts = one["counts"]
        so_far.append((one["cycle"], counts["admitted"] + (so_far[-1][1] if so_far else 0)))
        resting.append(
            (one["cycle"], counts["resting_on_insights"] + (resting[-1][1] if resting else 0))
        )
    found = [
        _lines(
            "dreams",
            "ideas and insights",
            [
                ("ideas", "muted", [(one["cycle"], one["counts"]["proposals"]) for one in dreamt]),
                ("admitted", "blue", [(one["cycle"], one["counts"]["admitted"]) for one in dreamt]),
            ],
            material,
        ),
        _lines(
            "insights",
            "insights so far",
            [("all", "blue", so_far), ("on insights", "orange", resting)],
            material,
        ),
    ]
    costs = [(one["cycle"], one["tax"]["per"]["admitted"]) for one in cycles]
    known = [(cycle, cost["tokens"]) for cycle, cost in costs if cost is not None]
    if known:
        line: Line = ("tokens", "blue", known)
        found.append(_lines("tax", "tokens for each insight", [line], material))
    return found


def diversity_pictures(material: Material) -> list[Picture]:
    """Distinct words, and the commonest opening, by cycle."""
    found = material.diversity
    if not found:
        return []
    distinct: list[Line] = [
        ("pairs", "blue", [(one.cycle, one.distinct_2) for one in found]),
        ("words", "muted", [(one.cycle, one.distinct_1) for one in found]),
    ]
    opening: Line = ("opening", "orange", [(one.cycle, one.opening_share) for one in found])
    return [
        _lines("distinct", "distinct words and pairs of words, %", distinct, material, True),
        _lines("opening", "ideas with the commonest opening, %", [opening], material, True),
    ]


def score_pictures(material: Material, *, most: int) -> list[Picture]:
    """The critic's scores, two axes at a time, with at most so many dots of each kind."""
    admitted, refused = (
        _sample(scores, most) for scores in (material.admitted_scores, material.refused_scores)
    )
    scored = [*admitted, *refused]
    if not scored:
        return []
    pairs = [("novelty", "coherence"), ("utility", "coherence")]
    pairs += [
        (name, "coherence")
        for name in LIKELIHOODS
        if any(getattr(one, name) is not None for one in scored)
    ]
    return [
        picture(
            f"scores-{across}-{up}",
            f"{up} and {across}",
            f"Scatter of the critic's {up} against {across}: {count(len(admitted), 'idea')} "
            f"admitted, {len(refused)} refused. {_lines_in_words(material, (across, up))}",
            lambda colours, axes=(across, up): scores_figure(  # type: ignore[misc]
                admitted, refused, axes, material.thresholds, colours
            ),
        )
        for across, up in pairs
    ]


def map_picture(material: Material, named: Sequence[Insight]) -> Picture | None:
    """Memory in two dimensions; None when it has too few vectors."""
    landscape = material.landscape
    if landscape is None:
        return None
    shown = sum(one.concept_id in landscape.places for one in material.insights)
    return picture(
        "memory",
        "memory in two dimensions",
        f"Map of memory: {len(landscape.places) - shown} pieces of documents and "
        f"{count(shown, 'insight')}, each insight joined to the two concepts it came from.",
        lambda colours: map_figure(landscape, material.insights, named, colours),
    )


def _curves(kind: str, curves: Sequence[Curve], material: Material) -> list[Picture]:
    found: list[Picture] = []
    for curve in curves:
        name = f"{kind}-{file_name(curve.name)}"
        taken = {one.name for one in found}
        while name in taken:
            name += "-x"
        found.append(
            picture(
                name,
                curve.title,
                _curve_in_words(curve, material.promoted),
                lambda colours, curve=curve: curve_figure(  # type: ignore[misc]
                    curve, material.cycles, material.promoted, colours
                ),
                _curve_note(curve),
            )
        )
    return found


def _lines(
    name: str, title: str, lines: Sequence[Line], material: Material, is_share: bool = False
) -> Picture:
    values = "; ".join(
        f"{label}: "
        + ", ".join(
            f"{share(value) if is_share else amount(value)} in cycle {cycle + 1}"
            for cycle, value in points
        )
        for label, _, points in lines
    )
    return picture(
        name,
        title,
        f"Line chart of {title} by cycle. {values}.",
        lambda colours: line_figure(lines, material.cycles, colours, is_share=is_share),
    )


def _curve_in_words(curve: Curve, promoted: Sequence[int]) -> str:
    nights = [
        f"cycle {one.cycle + 1} {value_words(curve, one)} "
        f"({'promoted' if one.cycle in promoted else 'not promoted'})"
        for one in curve.candidate
    ]
    base = [f"cycle {one.cycle + 1} {value_words(curve, one)}" for one in curve.base]
    parts = [f"Line chart of {curve.title} by cycle."]
    parts += [f"Nights: {', '.join(nights)}."] if nights else []
    parts += [f"Base: {', '.join(base)}."] if base else []
    return " ".join(parts)


def _curve_note(curve: Curve) -> str:
    """How many items there were, and which way is up."""
    sizes = {point.n for point in curve.candidate}
    of_what = {"share": "question", "nats": "text"}.get(curve.unit)
    if curve.name in DREAM_SUITES:
        of_what = "pair"
    parts = []
    if of_what and sizes:
        least, most = min(sizes), max(sizes)
        parts.append(count(most, of_what) if least == most else f"{least} to {most} {of_what}s")
    if curve.is_less_better:
        parts.append("less is better")
    return ", ".join(parts)


def value_words(curve: Curve, point: Point) -> str:
    """`76 % (68 to 83)`, `7.953 (7.2 to 8.7)`."""
    if curve.unit == "share":
        return f"{100 * point.value:.0f} % ({100 * point.low:.0f} to {100 * point.high:.0f})"
    if curve.unit == "number":
        return f"{point.value:.4g}"
    return f"{point.value:+.3f} ({point.low:+.3f} to {point.high:+.3f})"


def _lines_in_words(material: Material, names: Sequence[str]) -> str:
    known = [
        f"{name} {material.thresholds[name]:g}" for name in names if name in material.thresholds
    ]
    return f"Admission needs at least {' and '.join(known)}." if known else ""


def _sample(scores: Sequence[Scores], most: int) -> list[Scores]:
    return list(scores) if len(scores) <= most else Random(0).sample(list(scores), most)


def file_name(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "texts"
