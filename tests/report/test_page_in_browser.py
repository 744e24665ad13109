"""A report looked at in a real browser: Debian's Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ddl_train.report.page import write_report
from ddl_train.storage.database import transaction
from ddl_train.storage.run import Run
from tests.report.made import add_vectors, empty_run, made_run

playwright = pytest.importorskip(
    "playwright.sync_api", reason="needs playwright: the extra `browser`"
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium"),
]
WIDTHS = (360, 768, 1280)
LONG = "lævokinaseinhibitor" * 12 + " 茶多酚降低铁的吸收" * 12
"""A word that no line can hold, and text without spaces."""


@dataclass
class Visit:
    """What happened while a page was open."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run with texts of every length, and one that has begun nothing."""
    folder = tmp_path_factory.mktemp("page")
    full, bare = made_run(folder / "full"), empty_run(folder / "bare")
    add_vectors(full)
    with Run.open(full) as run, transaction(run.database) as database:
        database.execute("UPDATE concepts SET text = text || ? WHERE concept_id % 2", (LONG,))
        database.execute("UPDATE concepts SET source = 'notes/' || ? || source", (LONG,))
        database.execute("UPDATE proposals SET text = text || ? WHERE NOT is_none", (LONG,))
    found = {}
    for name, run_dir in (("full", full), ("bare", bare)):
        with Run.read(run_dir) as run:
            found[name] = write_report(run, folder / name / "out")[0]
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(params=["full", "bare"])
def which(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=WIDTHS)
def visit(
    request: pytest.FixtureRequest,
    browser: Any,
    pages: dict[str, Path],
    which: str,
    scheme: str,
) -> Iterator[Visit]:
    size = {"width": request.param, "height": 800}
    page = browser.new_page(viewport=size, color_scheme=scheme)
    seen = Visit(page)
    page.on("request", lambda one: seen.requests.append(one.url))
    page.on("console", lambda one: seen.complaints.append(one.text))
    page.on("pageerror", lambda one: seen.complaints.append(str(one)))
    page.goto(pages[which].as_uri())
    yield seen
    page.close()


WIDER_THAN_THE_SCREEN = """() => [...document.querySelectorAll('body *')]
    .filter(one => !one.closest('.scroll') && !one.closest('svg'))
    .filter(one => one.getBoundingClientRect().right > innerWidth + 1)
    .map(one => one.outerHTML.slice(0, 120))"""

CUT_OFF = """() => [...document.querySelectorAll('svg.plot')].flatMap(plot => {
    const room = document.documentElement.clientWidth;
    return [...plot.querySelectorAll('text')].filter(text => {
        const box = text.getBoundingClientRect();
        return box.right > room + 1 || box.left < -1;
    }).map(text => text.textContent.trim());
})"""

SMALL = """() => [...document.querySelectorAll('svg.plot text')].map(text => {
    const svg = text.ownerSVGElement;
    const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    return parseFloat(getComputedStyle(text).fontSize) * scale;
}).filter(size => size < 9)"""

FAINT = """() => {
    const channel = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const light = c => {
        const [r, g, b] = c.match(/[\\d.]+/g).map(Number);
        return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    };
    const behind = one => {
        for (; one; one = one.parentElement) {
            const colour = getComputedStyle(one).backgroundColor;
            if (!/, 0\\)$/.test(colour)) return colour;
        }
    };
    return [...document.querySelectorAll('body *')].filter(one =>
        [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())
    ).map(one => {
        const style = getComputedStyle(one);
        const ink = light(one.closest('svg') && style.fill !== 'none' ? style.fill : style.color);
        const paper = light(behind(one));
        const contrast = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
        return [contrast, one.tagName + ' ' + one.textContent.trim().slice(0, 40)];
    }).filter(([contrast]) => contrast < 4.5);
}"""

WITHOUT_WORDS = """() => [...document.querySelectorAll('img, svg')].filter(one =>
    !(one.getAttribute('alt') || one.getAttribute('aria-label') || '').trim()).length"""


def test_it_fits_every_screen_and_asks_for_nothing(visit: Visit) -> None:
    """One look at each page, width and scheme: opening it is what takes the time."""
    page = visit.page
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    assert page.evaluate(WIDER_THAN_THE_SCREEN) == []
    assert page.evaluate(CUT_OFF) == []
    assert page.evaluate(SMALL) == []
    assert page.evaluate(FAINT) == []
    assert page.evaluate(WITHOUT_WORDS) == 0
    assert [url for url in visit.requests if not url.startswith("file:")] == []
    assert len(visit.requests) == 1
    assert visit.complaints == []


def test_every_table_has_headers_with_a_scope(browser: Any, pages: dict[str, Path]) -> None:
    page = browser.new_page()
    page.goto(pages["full"].as_uri())
    assert page.locator("table").count() >= 4
    assert page.locator("table thead th:not([scope])").count() == 0
    assert page.locator("table tbody tr:not(:has(th[scope=row]))").count() == 0
    page.close()


def test_dark_and_light_are_two_papers(browser: Any, pages: dict[str, Path]) -> None:
    papers = set()
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        page.goto(pages["full"].as_uri())
        papers.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.close()
    assert len(papers) == 2


def test_print_is_on_white_paper_with_its_tables_open(browser: Any, pages: dict[str, Path]) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto(pages["full"].as_uri())
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("nav").is_visible()
    assert page.locator("details table").first.is_visible()
    page.close()
