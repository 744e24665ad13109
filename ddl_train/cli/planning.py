"""`ddl-train run CONFIG --dry-run`: what would be done, what it needs, and whether it fits."""

from ddl_train.cli.arguments import output
from ddl_train.cli.boundary import say
from ddl_train.cli.environment import go_offline_if_local
from ddl_train.cli.servers import check_servers
from ddl_train.cli.workers import count_workers
from ddl_train.config import Config


def show_plan(config: Config) -> None:
    """Print the plan of a run.

    Raises:
        DdlTrainError: something it needs is missing or does not fit; the plan is printed first
            where there is one.
    """
    go_offline_if_local(config)
    servers = check_servers(config)
    from ddl_train.cli.preflight import preflight, retention_gap, say_left_out
    from ddl_train.engines.reaching import loading_options
    from ddl_train.report.footprint import read_shape
    from ddl_train.report.machine import read_machine
    from ddl_train.report.plan import Corpus, load_counter, make_plan, plan_table

    loading_options(config.model)  # before anything slow: is there such a base at all?
    checked = preflight(config)
    second = config.wake.cascade.second
    say_left_out(config, checked.reading)
    plan = make_plan(
        config,
        shape=read_shape(config.model),
        machine=read_machine(config.model),
        corpus=Corpus(chunks=checked.reading.chunks, held_out_share=config.memory.held_out_share),
        prompts=checked.pack,
        count=load_counter(config.model),
        num_probes=checked.num_probes,
        second=read_shape(second.local) if second and second.local else None,
    )
    output().print(plan_table(plan))
    for note in servers:
        say(f"{note}; it was not asked now, and the plan counts its work as done here")
    for note in count_workers(config):
        say(f"{note}; the plan counts their work as done here")
    if gap := retention_gap(config, checked.reading):
        say(gap)
    plan.check()
