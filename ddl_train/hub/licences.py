"""Under what an adapter may be published: the licences of its base and of its sources, and its own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ddl_train.errors import HubError

_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9.+-]*")
_HOW = {
    "base": "`model.license: ID` in the config or `--license base=ID`",
    "sources": "`memory.license: ID` in the config or `--license sources=ID`",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Licences:
    """Identifiers as the Hub spells them."""

    own: str
    base: str
    sources: str


def settle_licences(base: str | None, sources: str | None, stated: Sequence[str]) -> Licences:
    """Put together what the config knows and what was typed.

    Args:
        base: `model.license`.
        sources: `memory.license`.
        stated: `base=ID`, `sources=ID`, which go before the config, or `ID`: that of the
            publication, and of whatever is known from nowhere else.

    Raises:
        HubError: one is not known, or is no identifier; says how to state it.
    """
    known: dict[str, str | None] = {"base": base, "sources": sources}
    own = None
    for one in stated:
        key, equals, name = one.rpartition("=")
        if not equals:
            own = name
        elif key in known:
            known[key] = name
        else:
            raise HubError(f"--license {one!r}: expected ID, base=ID or sources=ID")
    settled = {}
    for what, named in known.items():
        found = named or own
        if found is None:
            raise HubError(
                f"the licence of the {what} is not known, so nothing is published; state it with "
                f"{_HOW[what]}, for example apache-2.0"
            )
        settled[what] = found
    for name in (*settled.values(), *([own] if own else [])):
        if not _IDENTIFIER.fullmatch(name) or name in ("unknown", "none"):
            raise HubError(
                f"{name!r} is no licence; expected an identifier of the Hub such as apache-2.0, "
                "cc-by-4.0 or other"
            )
    if own is None and settled["base"] != settled["sources"]:
        raise HubError(
            f"the base is under {settled['base']} and the sources are under {settled['sources']}; "
            "say with `--license ID` under which licence this is published"
        )
    return Licences(own=own or settled["base"], **settled)
