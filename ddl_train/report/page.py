"""`ddl-train report`: one HTML file that needs nothing else, and the same pictures as PNGs.

The file loads nothing: no script, no font, no picture from elsewhere, which its content security
policy also forbids. All text is escaped. The same run gives the same bytes.
"""

from collections.abc import Sequence
from pathlib import Path

import jinja2

from ddl_train.errors import RunError
from ddl_train.records import BASE, Insight, JsonObject
from ddl_train.report import nights, pictures, story, words
from ddl_train.report.clouds import DEPTHS, MARKS
from ddl_train.report.material import Material, read_material
from ddl_train.report.pictures import Picture
from ddl_train.report.showcase import Card, best, card, deepest_lineages, source_root, strangest
from ddl_train.report.tables import OPERATOR_COLUMNS, cascade_words, lost_words, sum_rules
from ddl_train.storage.files import make_folder, write_bytes, write_text
from ddl_train.storage.run import Run

MOST_DOTS = 5000
"""Dots on the map, and of each kind among the scores; of more, a fixed sample."""
MOST_DOTS_OF_SAMPLE = 1000
PAGE_NAME = "report.html"
PICTURES_NAME = "pictures"
NO_BREAK = "\N{NO-BREAK SPACE}"
TEMPLATES = Path(__file__).parent / "templates"


def write_report(run: Run, out: Path | None = None, *, is_sample: bool = False) -> list[Path]:
    """Write the page and its pictures, and return their paths, the page first.

    Files of an earlier report are replaced; others in the folder are left alone.

    Args:
        run: open for reading.
        out: folder; `report/` in the run by default.
        is_sample: draw at most `MOST_DOTS_OF_SAMPLE` dots, for a smaller page of a large run.

    Raises:
        RunError: the folder cannot be written to.
        ResourceError: the disk is full.
    """
    folder = run.dir / "report" if out is None else out
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder}: is a file; expected a folder to write the report into")
    most = MOST_DOTS_OF_SAMPLE if is_sample else MOST_DOTS
    values, drawn = page_values(read_material(run, most_places=most), most)
    make_folder(folder / PICTURES_NAME)
    page = folder / PAGE_NAME
    paths = [page]
    for one in drawn:
        paths.append(folder / PICTURES_NAME / f"{one.name}.png")
        write_bytes(paths[-1], one.png)
    write_text(page, render(values))
    return paths


def page_values(material: Material, most: int) -> tuple[JsonObject, list[Picture]]:
    """What the template is given, and every picture in it."""
    finest = best(material.insights)
    oddest = strangest(material.insights, material.cosines, but=finest)
    groups = {
        "suites": pictures.suite_pictures(material),
        "losses": pictures.loss_pictures(material),
        "figures": pictures.figure_pictures(material),
        "dreams": pictures.dream_pictures(material),
        "diversity": pictures.diversity_pictures(material),
        "scores": pictures.score_pictures(material, most=most),
    }
    root = source_root(material.concepts)
    map_picture = pictures.map_picture(material, [*finest, *oddest])
    drawn = [one for group in groups.values() for one in group]
    values: JsonObject = {
        "material": material,
        "status": material.status,
        "sentences": story.tell(material.status, material.suites),
        "headlines": story.headlines(material.status, material.suites),
        "nights": nights.nights(material.status),
        "canaries": nights.canaries(material.status),
        "cascade_words": _cascade_words(material.status),
        "groups": groups,
        "map": map_picture,
        "keys": [(colour, MARKS[mark]) for colour, mark in DEPTHS],
        "best": _cards(finest, material, root),
        "strangest": _cards(oddest, material, root),
        "lineages": deepest_lineages(material.insights, material.concepts, root),
        "root": root,
        "operator_columns": OPERATOR_COLUMNS,
        "rules": sum_rules(material.status["cycles"]),
        "files": _files(material.status),
        "most": most,
    }
    return values, drawn if map_picture is None else [*drawn, map_picture]


def render(values: JsonObject) -> str:
    """The page as text."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    for name in ("amount", "count", "duration", "operations", "share"):
        environment.filters[name] = getattr(words, name)
    environment.filters["lost_words"] = lost_words
    environment.globals["value_words"] = pictures.value_words
    return environment.get_template("report.html.jinja").render(values)


def _printable(value: object) -> object:
    """Markup of our own stays; text of models and documents loses what would steer a reader."""
    if type(value) is not str:
        return value
    return words.printable(value).replace(" %", NO_BREAK + "%")


def _cards(chosen: Sequence[Insight], material: Material, root: str) -> list[Card]:
    insights = {one.concept_id: one for one in material.insights}
    return [card(one, material.concepts, insights, material.cosines, root) for one in chosen]


def _cascade_words(status: JsonObject) -> str:
    return cascade_words(status["cascade"]) if status["cascade"] is not None else ""


def _files(status: JsonObject) -> list[tuple[str, str]]:
    """What lies where, and the commands that say more."""
    folder, name = status["dir"], status["name"]
    run = name if folder == f"checkpoints/{name}" else folder
    found = [(f"{folder}/run.sqlite", "the run: memory, verdicts, reports, decisions")]
    if status["current"] != BASE:
        found.append((f"{folder}/adapters/{status['current']}", "the adapter in use"))
    return [
        *found,
        (f"{folder}/config.yaml", "the config"),
        (f"{PICTURES_NAME}/", "beside this page: its pictures as PNG"),
        (f"ddl-train status {run}", "the same figures on a terminal"),
        (f"ddl-train insights {run} --json", "every insight; --rejected: every refused idea"),
        (f'ddl-train ask {run} "..." --compare', "the changed model beside the base"),
        (f"ddl-train export {run} --out DIR", "insights, verdicts and study items as Parquet"),
    ]
