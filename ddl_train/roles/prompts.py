"""Prompt packs: folders of Jinja templates that a user can read and edit.

Each template renders one user message. `pack.yaml` says how the answers are read back. Templates
run in a sandbox; corpus text reaches them as values only and is never itself rendered. `nonce` is
offered to every template as a mark for delimiters: it depends on all texts, so that a text cannot
know the mark that would close its own block, and it is the same whenever the prompt is.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ddl_train.config import CONNECT
from ddl_train.errors import ConfigError
from ddl_train.roles.pack_file import read_pack_file

BUILT_IN = Path(__file__).parent / "prompts"
STUDY_KINDS = ("restate", "forward", "reverse", "implication", "application")
PROBE_KINDS = ("forward", "reverse")
VARIABLES: dict[str, tuple[str, ...]] = {
    "propose": ("a", "b"),
    "score": ("a", "b", "idea", "axes", "axis"),
    "rationale": ("a", "b", "idea"),
    "answer": ("question", "context"),
    **{f"study_{kind}": ("idea",) for kind in STUDY_KINDS},
    **{f"probe_{kind}": ("idea",) for kind in PROBE_KINDS},
}
"""Templates that every pack has, and the values each is given (beside `nonce`)."""
VERBALISED = "verbalised"
"""Template that asks for several answers to what another template asks."""
SCREEN = "screen"
"""Template of the short critic."""
OPTIONAL: dict[str, tuple[str, ...]] = {
    SCREEN: ("a", "b", "idea"),
    VERBALISED: ("question", "k", "tail"),
}
"""The same of templates that a pack may lack, as long as no config asks for them."""
FAMILIES: dict[str, tuple[str, ...]] = {
    "study": ("idea",),
    "probe": ("idea",),
    "operator": ("a", "b"),
}
"""Beginnings of the names of templates of which a pack may have more, and what those are given."""
_CRITERIA = ("axes", "axis")


class PromptPack:
    """The templates of one folder, compiled."""

    def __init__(self, folder: Path) -> None:
        """Read and check a folder.

        Raises:
            ConfigError: a template is missing, broken, or uses a value that it is not given.
        """
        self.dir = folder
        self._file = read_pack_file(folder / "pack.yaml")
        self._idea = re.compile(self._file.idea_pattern)
        self._qa = re.compile(self._file.qa_pattern)
        self._heading = self._heading_pattern()
        self._environment = ImmutableSandboxedEnvironment(
            loader=jinja2.FileSystemLoader(folder),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates = {name: self._compile(name) for name in self._names()}

    @property
    def none(self) -> str:
        """What the generator answers when there is no link."""
        return self._file.none

    @property
    def axes(self) -> tuple[str, ...]:
        """What the critic is asked, in the order first shown."""
        return tuple(self._file.axes)

    @cached_property
    def sha256(self) -> str:
        """Of all files of the pack, names and contents."""
        digest = hashlib.sha256()
        for path in sorted(self.dir.iterdir()):
            if path.suffix in (".jinja", ".yaml") and path.is_file():
                digest.update(f"{path.name}:{path.stat().st_size};".encode())
                digest.update(path.read_bytes())
        return digest.hexdigest()

    @property
    def operators(self) -> tuple[str, ...]:
        """What a pair can be dreamt on with: `connect`, and the pack's own."""
        return (CONNECT, *self.kinds("operator"))

    @property
    def can_verbalise(self) -> bool:
        """Whether several ideas can be asked for in one answer."""
        return VERBALISED in self._templates

    @property
    def can_screen(self) -> bool:
        """Whether it has a short question of its own about an idea."""
        return SCREEN in self._templates

    def kinds(self, family: str) -> tuple[str, ...]:
        """Kinds that the pack has templates for; `family` is one of `FAMILIES`."""
        prefix = f"{family}_"
        return tuple(
            name.removeprefix(prefix) for name in self._templates if name.startswith(prefix)
        )

    def render(self, template: str, **variables: Any) -> str:
        """The user message of one template.

        Raises:
            ConfigError: the pack has no such template, or it fails on these values.
        """
        if template not in self._templates:
            raise ConfigError(
                f"{self.dir}: the prompt pack has no template {template}.jinja; it has "
                f"{', '.join(self._templates)}"
            )
        nonce = self._nonce(template, variables)
        try:
            return self._templates[template].render(nonce=nonce, **variables).strip()
        except (jinja2.TemplateError, TypeError) as error:
            raise ConfigError(f"{self.dir / template}.jinja: cannot be rendered: {error}") from None

    def is_none(self, text: str) -> bool:
        """Whether the generator says that there is no link."""
        said = text.strip().strip(".!\"'`*_ ").casefold()
        return said == self.none.casefold() or text.strip().startswith(self.none)

    def parse_idea(self, text: str) -> tuple[str, str] | None:
        """Reasoning and conclusion of an idea, or None when the text is not of that form."""
        return _parts(self._idea.search(text.strip()), ("reasoning", "conclusion"))

    def find_idea(self, text: str) -> str:
        """The part of a text that is an idea, without what stands around it; empty for none."""
        found = self._idea.search(text.strip())
        return found[0].strip() if found else ""

    def split_answers(self, text: str) -> list[tuple[str | None, str]]:
        """Several answers, each with its probability as it is stated; one where none is headed."""
        headings = list(self._heading.finditer(text)) if self._heading else []
        if not headings:
            return [(None, text.strip())]
        ends = [*(heading.start() for heading in headings[1:]), len(text)]
        return [
            (heading["probability"], text[heading.end() : end].strip())
            for heading, end in zip(headings, ends, strict=True)
        ]

    def parse_qa(self, text: str) -> tuple[str, str] | None:
        """Question and answer of a study item, or None when the text is not of that form."""
        return _parts(self._qa.search(text.strip()), ("question", "answer"))

    def _names(self) -> list[str]:
        """Templates that every pack has, then what this one has beside them.

        Those are optional templates and more kinds of the families, the user's own among them.
        """
        for name in VARIABLES:
            if not (self.dir / f"{name}.jinja").is_file():
                raise ConfigError(
                    f"{self.dir}: the prompt pack lacks the template {name}.jinja; "
                    f"copy it from {BUILT_IN / 'default'}"
                )
        own = {path.stem for path in self.dir.glob("*.jinja")} - set(VARIABLES)
        prefixes = tuple(f"{family}_" for family in FAMILIES)
        kept = [n for n in own if n in OPTIONAL or n.startswith(prefixes)]
        return [*VARIABLES, *sorted(kept)]

    def _heading_pattern(self) -> re.Pattern[str] | None:
        """How one of several answers begins.

        Raises:
            ConfigError: the pack asks for several and does not say.
        """
        if self._file.heading_pattern is not None:
            return re.compile(self._file.heading_pattern)
        if (self.dir / f"{VERBALISED}.jinja").is_file():
            raise ConfigError(
                f"{self.dir}: the prompt pack has the template {VERBALISED}.jinja and no "
                f"heading_pattern in pack.yaml; copy it from {BUILT_IN / 'default'}"
            )
        return None

    def _compile(self, name: str) -> jinja2.Template:
        allowed = {*variables_of(name), "nonce"}
        path = self.dir / f"{name}.jinja"
        try:
            source = path.read_text(encoding="utf-8")
            unknown = meta.find_undeclared_variables(self._environment.parse(source)) - allowed
            template = self._environment.get_template(path.name)
        except (jinja2.TemplateError, OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: is not a usable template: {error}") from None
        if unknown:
            raise ConfigError(
                f"{path}: uses {', '.join(sorted(unknown))}, which it is not given; it may use "
                f"{', '.join(sorted(allowed))}"
            )
        return template

    def _nonce(self, template: str, variables: dict[str, Any]) -> str:
        """Eight hex digits that depend on all texts and occur in none of them.

        The criteria are left out, so that questions about one idea begin alike.
        """
        texts = {name: value for name, value in variables.items() if name not in _CRITERIA}
        values = json.dumps(texts, sort_keys=True, ensure_ascii=False, default=str)
        salt = f"{self.sha256}/{template}/{values}"
        while True:
            salt = hashlib.sha256(salt.encode("utf-8", "surrogatepass")).hexdigest()
            if salt[:8] not in values:
                return salt[:8]


def variables_of(template: str) -> tuple[str, ...]:
    """The values that a template is given."""
    known = VARIABLES | OPTIONAL
    return known[template] if template in known else FAMILIES[template.partition("_")[0]]


def operator_template(operator: str) -> str:
    """The template in which an operator asks."""
    return "propose" if operator == CONNECT else f"operator_{operator}"


def load_pack(name_or_dir: str | Path) -> PromptPack:
    """A built-in pack by name (`default`, `terse`), or a folder of one's own.

    Raises:
        ConfigError: there is no such pack, or something in it is missing or broken.
    """
    name = str(name_or_dir)
    if isinstance(name_or_dir, str) and "/" not in name and (BUILT_IN / name).is_dir():
        return PromptPack(BUILT_IN / name)
    folder = Path(name_or_dir)
    if not folder.is_dir():
        known = ", ".join(sorted(path.name for path in BUILT_IN.iterdir() if path.is_dir()))
        raise ConfigError(
            f"wake.prompts is {name!r}, which is no folder and no built-in pack ({known})"
        )
    return PromptPack(folder)


def _parts(match: re.Match[str] | None, groups: Sequence[str]) -> tuple[str, str] | None:
    if match is None:
        return None
    first, second = (match.group(group).strip() for group in groups)
    return (first, second) if first and second else None
