"""The README says what is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_module_stands_in_the_file_tree() -> None:
    tree = README.split("## Files")[1]
    listed = set(re.findall(r"[a-z_]+", tree))
    modules = {
        path.stem for path in (ROOT / "ddl_train").rglob("*.py") if not path.stem.startswith("__")
    }
    assert modules - listed == set()


def test_the_file_tree_names_no_module_that_is_gone() -> None:
    tree = README.split("```\nddl_train/")[1].split("configs/")[0]
    for folder, names in re.findall(
        r"^  ([a-z]+)/ +((?:[a-z_ ]|\n {10,})+?)(?: {3,}|\n)", tree, re.M
    ):
        for name in names.split():
            assert (ROOT / "ddl_train" / folder / f"{name}.py").is_file(), f"{folder}/{name}"


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
