"""The README says what is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_part_of_the_package_stands_in_the_file_tree() -> None:
    tree = README.split("```\nddl_train/")[1].split("configs/")[0]
    package = ROOT / "ddl_train"
    folders = {path.parent.name for path in package.glob("*/__init__.py")}
    assert folders == set(re.findall(r"^  ([a-z]+)/ ", tree, re.M))
    modules = {path.name for path in package.glob("*.py") if not path.stem.startswith("__")}
    assert modules == set(re.findall(r"[a-z_]+\.py", tree))


def test_every_config_stands_in_the_table() -> None:
    for path in (ROOT / "configs").glob("*.yaml"):
        assert f"`configs/{path.name}`" in README, path.name


def test_the_readme_is_short() -> None:
    assert README.count("\n") < 250


def test_the_world_of_the_quickstart_is_made_before_it_is_read() -> None:
    (options,) = re.findall(
        r"ddl-train world \S+ (.+)", (ROOT / "scripts/quickstart.sh").read_text()
    )
    made = README.index(f"ddl-train world checkpoints/quickstart-world {options}")
    assert made < README.index("ddl-train run configs/quickstart.yaml")
