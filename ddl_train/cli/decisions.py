"""A person decides: `promote`, `rollback`, `forget`. Each is recorded as a person's decision."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ddl_train.cli.arguments import RunArgument, find_run, output

if TYPE_CHECKING:
    from ddl_train.storage.run import Run


def promote(
    run: RunArgument,
    version: Annotated[
        str, typer.Argument(help="An adapter of the run (the beginning of its version), or `base`.")
    ],
    why: Annotated[str, typer.Option(help="Recorded with the decision.")],
) -> None:
    """Put an adapter in use, whatever the gate said."""
    from ddl_train.errors import RunError
    from ddl_train.records import BASE, Promotion
    from ddl_train.storage.run import Run

    with Run.open(find_run(run)) as found:
        adapter = version if version == BASE else found.adapter(version).version
        if adapter == found.current:
            raise RunError(f"{found.dir}: {version} is in use already; nothing to promote")
        before = found.current
        found.record_promotion(
            max(found.next_cycle - 1, 0),
            Promotion(
                candidate=adapter,
                promoted=True,
                reasons=(f"ok: {_reason(why)}",),
                decided_by="person",
            ),
        )
        output().print(f"{found.dir}: in use now: {adapter} (before: {before})")


def rollback(
    run: RunArgument,
    why: Annotated[str, typer.Option(help="Recorded with the decision.")] = "asked for",
) -> None:
    """Put back in use what was in use before the current adapter."""
    from ddl_train.storage.run import Run

    with Run.open(find_run(run)) as found:
        before = found.current
        target = found.rollback(_reason(why))
        output().print(f"{found.dir}: in use now: {target} (before: {before})")


def _reason(why: str) -> str:
    from ddl_train.errors import RunError

    words = " ".join(why.split())
    if not words:
        raise RunError("--why is empty; expected a sentence that will be read later")
    return words


def forget(
    run: RunArgument,
    source: Annotated[
        str, typer.Option(help="Glob of sources, as `status` and lineage name them.")
    ],
) -> None:
    """Remove a source and all that was dreamt from it; name the adapters that saw it."""
    from ddl_train.memory.store import Memory
    from ddl_train.report.words import count
    from ddl_train.storage.run import Run

    with Run.open(find_run(run)) as found:
        removed = Memory(found).forget(source)
        current = found.current
        ways = _ways_out(found, run, removed.adapters) if current in removed.adapters else []
    console = output()
    console.print(
        f"forgot {count(removed.num_sources, 'source')}: {count(removed.num_concepts, 'concept')}, "
        f"{count(removed.num_insights, 'insight')} dreamt from them, "
        f"{count(removed.num_pairs, 'pair')}, {count(removed.num_study_items, 'study item')}",
        soft_wrap=True,
    )
    if not removed.adapters:
        console.print("no adapter has seen any of it")
        return
    console.print(
        f"weights cannot be cleaned; these adapters have seen it: {', '.join(removed.adapters)}",
        soft_wrap=True,
    )
    if ways:
        console.print(f"{current} is in use: {', or '.join(ways)}", soft_wrap=True)


def _ways_out(found: "Run", run: str, seen: Sequence[str]) -> list[str]:
    """How to be rid of the adapter in use without coming to another that saw the source."""
    from ddl_train.records import BASE
    from ddl_train.storage.history import predecessor

    before = predecessor(found.database, found.current)
    ways = []
    if before is not None and before not in seen:
        ways.append(f"`ddl-train rollback {run}` goes back to {before}")
    else:
        used = [one.promotion.candidate for one in found.promotions() if one.promotion.promoted]
        if clean := [one for one in used if one not in seen and one != BASE]:
            ways.append(
                f'`ddl-train promote {run} {clean[-1]} --why "..."` puts one in use that has not'
            )
    if found.config.sleep.method == "from_base":
        ways.append(
            f"`ddl-train run` with more cycles (or `wake {run}`, then `sleep {run}`) trains the "
            "next night from the base without it"
        )
    if before != BASE:
        ways.append(f'`ddl-train promote {run} {BASE} --why "..."` takes the untouched base')
    return ways
