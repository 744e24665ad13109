"""A person decides: `promote`, `rollback`, `forget`. Each is recorded as a person's decision."""

from typing import Annotated

import typer

from ddl_train.cli.arguments import RunArgument, find_run, output


def promote(
    run: RunArgument,
    version: Annotated[str, typer.Argument(help="An adapter of the run, or `base`.")],
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
    if current in removed.adapters:
        console.print(
            f"{current} is in use: `ddl-train rollback {run}` goes back, or "
            f'`ddl-train promote {run} base --why "..."` to the untouched base',
            soft_wrap=True,
        )
