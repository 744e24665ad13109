"""Answers of one question under several adapters, side by side."""

from pathlib import Path

from ddl_train.cli.environment import go_offline_if_local


def answers(
    run_dir: Path, question: str, adapters: list[str], max_new_tokens: int
) -> dict[str, str]:
    """Name of each adapter as asked for, with its version, -> its answer; each adapter once.

    Raises:
        AdapterError: the run has no such adapter, or it does not fit the base.
    """
    from ddl_train.storage.run import Run

    with Run.read(run_dir) as run:
        go_offline_if_local(run.config)
        from ddl_train.engines.transformers_engine import load_engine
        from ddl_train.records import BASE, Sampling
        from ddl_train.roles.prompts import load_pack

        names: dict[str, str] = {}
        for name in adapters:
            version = run.current if name == "current" else name
            version = version if version == BASE else run.adapter(version).version
            names.setdefault(version, name)
        loaded = [run.adapter(version) for version in names if version != BASE]
        engine = load_engine(run.config.model)
        prompt = load_pack(str(run.prompts_dir)).render("answer", question=question, context=[])
        for adapter in loaded:
            engine.load_adapter(adapter.version, adapter.path, base_sha256=adapter.base_sha256)
        found = {}
        for version, name in names.items():
            title = f"{name} ({version})" if name == "current" else version
            completions, _ = engine.generate(
                [prompt],
                sampling=Sampling(max_new_tokens=max_new_tokens),
                adapter=version,
                seed=run.config.seed,
            )
            found[title] = completions[0].text
    return found
