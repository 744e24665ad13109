"""Looking at a run: `status`, `insights`, `ask`. None of them changes it."""

from typing import Annotated

import typer

from ddl_train.cli.arguments import JsonOption, RunArgument, find_run, output, print_json


def status(run: RunArgument, json: JsonOption = False) -> None:
    """Cycles, probes, the gate's reasons, the tax, and the adapter in use."""
    from ddl_train.report.status import read_status
    from ddl_train.report.tables import print_status
    from ddl_train.storage.run import Run

    with Run.read(find_run(run)) as found:
        state = read_status(found)
    if json:
        print_json(state)
    else:
        print_status(state, output())


def insights(
    run: RunArgument,
    json: JsonOption = False,
    rejected: Annotated[
        bool, typer.Option("--rejected", help="Ideas that were refused, with the reason.")
    ] = False,
    lineage: Annotated[
        int | None, typer.Option(metavar="ID", help="What this insight rests on.")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, help="Newest so many in the table; JSON has them all.")
    ] = 30,
) -> None:
    """What it came up with, why it was admitted or refused, and what it rests on."""
    from ddl_train.report import ideas
    from ddl_train.storage.run import Run

    console = output()
    with Run.read(find_run(run)) as found:
        if lineage is not None:
            tree = ideas.lineage(found, lineage)
            print_json(tree) if json else ideas.print_lineage(tree, console)
            return
        listed = ideas.rejected(found) if rejected else ideas.admitted(found)
    if json:
        print_json(listed)
    elif not listed:
        console.print("no idea was refused yet" if rejected else "no insight was admitted yet")
    else:
        show = ideas.print_rejected if rejected else ideas.print_admitted
        show(listed[-limit:], console)
        if len(listed) > limit:
            console.print(f"the newest {limit} of {len(listed)}; --limit shows more")


def ask(
    run: RunArgument,
    question: Annotated[str, typer.Argument(help="Asked without any document at hand.")],
    compare: Annotated[
        bool, typer.Option("--compare", help="The base beside the adapter in use.")
    ] = False,
    adapter: Annotated[
        list[str] | None,
        typer.Option(
            help="`base`, `current`, or a version or its beginning; again for another column."
        ),
    ] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1)] = 128,
    json: JsonOption = False,
) -> None:
    """Ask the changed model a question, closed-book and greedy."""
    from rich.table import Table

    from ddl_train.cli.asking import answers
    from ddl_train.cli.boundary import say
    from ddl_train.errors import ConfigError
    from ddl_train.report.words import printable

    if not question.strip():
        raise ConfigError("the question is empty; expected some text to ask")
    wanted = list(adapter or []) or (["base", "current"] if compare else ["current"])
    found = answers(find_run(run), question, wanted, max_new_tokens)
    if json:
        print_json({"question": question, "answers": found})
        return
    console = output()
    if compare and len(found) == 1:
        say("the untouched base is in use, so there is one answer")
    if len(found) == 1:
        console.print(printable(next(iter(found.values()))))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in found:
        table.add_column(name, ratio=1)
    table.add_row(*map(printable, found.values()))
    console.print(table)
