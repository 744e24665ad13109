"""Imports only point down, and each third-party library has one address."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "ddl_train"

LAYERS = [
    {"cli"},
    {"bench", "report"},
    {"cycle", "distill"},
    {"scaling"},
    {"measure", "ingest"},
    {
        "session",
        "wake",
        "study",
        "sleep",
        "evaluate",
        "examine",
        "promote",
        "publish",
        "prepare",
        "deliver",
    },
    {"gate"},
    {"memory", "roles", "training", "probes", "hub"},
    {"engines", "storage"},
    {"config"},
    {"records", "errors"},
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
WORLD_IS_FOR = {"cli", "bench", "world"}
ADDRESSES = {
    "trl": {"training"},
    "faiss": {"memory"},
    "typer": {"cli"},
    "rich": {"cli", "report"},
    "sqlite3": {"storage", "memory", "cli"},
    "yaml": {"config", "roles", "world", "bench", "storage"},
    "semchunk": {"memory"},
    "scipy": {"probes", "bench"},
    "jinja2": {"roles", "engines", "report"},  # prompts, errors of chat templates, the HTML report
    "matplotlib": {"report", "bench"},
    "phonenumbers": {"hub"},
    "stdnum": {"hub"},
    "lm_eval": {"probes"},
    "openai": {"engines"},
    "ray": {"engines"},
}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def modules() -> list[Path]:
    return [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.parent != PACKAGE or path.stem != "__init__"
    ]


def test_imports_point_down() -> None:
    wrong = []
    for path in modules():
        mine = part_of(path)
        for name in imports(path):
            parts = name.split(".")
            if parts[0] != "ddl_train" or len(parts) < 2 or parts[1] == mine:
                continue
            theirs = parts[1]
            if theirs == "world":
                allowed = mine in WORLD_IS_FOR
            elif mine == "world":
                allowed = RANK.get(theirs, -1) >= RANK["config"]
            else:
                allowed = theirs not in RANK or RANK[mine] < RANK[theirs]
                if LAYERS[-1] >= {mine, theirs}:
                    allowed = True
            if not allowed:
                wrong.append(f"{path.relative_to(PACKAGE)} imports {name}")
    assert wrong == []


def test_every_module_has_a_place_in_the_layers() -> None:
    assert {part_of(path) for path in modules()} - {"world"} <= set(RANK)


def test_each_library_has_one_address() -> None:
    wrong = []
    for path in modules():
        for library in sorted({name.split(".")[0] for name in imports(path)}):
            if part_of(path) not in ADDRESSES.get(library, {part_of(path)}):
                wrong.append(f"{path.relative_to(PACKAGE)} imports {library}")
    assert wrong == []
