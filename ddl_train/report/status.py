"""The state of a run as one plain object: what `ddl-train status RUN --json` prints.

Keys are stable: `format` rises when one changes its meaning or goes. Adding a key is no change.

    format          1
    name, dir       of the run
    base            the base model
    current         version of the adapter in use, or "base"
    num_cycles      planned
    next            {cycle, stage} under way or to come; null when all planned cycles are done
    memory          {sources, held_out_sources, concepts, insights, deepest, pairs_dreamt, index}
        index           {kind, rows, bytes, recall}: kind in the words of FAISS, bytes of host memory
                        (and of its file), recall of the 10 nearest as measured when it was built;
                        null when there is none
    workers         of the last wake: {address, num_nodes, num_workers, num_alive,
                    num_lost, num_duplicates}; num_alive at its end, num_duplicates: answers that
                    came twice and were dropped; null when this machine dreamt alone
    cycles[]        one object a cycle, in order:
        cycle           from 0, as in all JSON, Parquet and file formats; people are shown it from 1
        stage           wake, sleep, evaluate, promote or done
        candidate       version that the night made; null when nothing was trained
        promoted        true or false; null when the gate has not decided
        reasons[]       of the gate, `ok: ...` or `refused: ...`
        notes{}         stage -> facts it left when it finished
        counts          {pairs, revisits, revived, proposals, none, refused{rule: n}, admitted,
                         resting_on_insights, deepest, answered}; `revived`: revisits that were
                         admitted; `answered`: insights of this cycle
                         whose held-out questions the model in use after the gate answers and the
                         base does not
        suites{}        suite -> {candidate|current|base: {n, accuracy, chance, margin}}
        losses{}        text set -> {candidate|current|base: mean token loss in nats}
        divergences{}   text set -> {candidate|current|base: mean token KL to the base in nats}
        missing[]       suites that could not be measured, and why
        tax             see below
    samplers{}      sampler -> {pairs, admitted, tokens, alone}: what it drew and what that brought;
                    tokens are the generator's; alone {rate, low, high, pairs}: the share of pairs
                    admitted had it drawn alone, weighted by the probabilities of all pairs, with
                    its 95 % interval and the pairs of its own that would tell as much; null
                    where none were kept
    tax             the same over all cycles:
        roles{}         role -> {calls, prompt_tokens, completion_tokens, seconds, flops}
        wake, all       {tokens, seconds, flops, price}; price is null without
                        price_per_million_tokens
        per{}           pair, proposal, admitted, answered -> {tokens, seconds, flops, price}, or
                        null when there is none; the first three share out `wake`, the last `all`
        ratio           tokens that wake read and wrote for each token of an admitted idea; null
                        when nothing was admitted
    operators{}     operator -> {pairs, none, unread, ideas, repeats, admitted, share}: what was dreamt
                    with it in the whole run, and its share of the next batch after budgets; 0 for
                    one that the config does not name any more
    cascade         what the stages before the full critic did; null where `wake.cascade` was never on
        audited         proposals that the full critic judged whatever the cascade said
        good            those of them that were admitted
        lost            good ones that the cascade would have refused: {n, share, low, high}, share
                        null when there is none to tell by, with a 95 % interval
        stages[]        {stage, refused, audited, lost, spent_tokens, saved_tokens}: `audited` it
                        would have refused, `lost` as above, tokens saved are estimated and before
                        those spent
        second          the larger critic: {asked, refused}
    adapters[]      {version, cycle, parent, num_rows, num_insights, saw_forgotten}: the last is true
                    when it, or what it was continued from, was trained on what is forgotten since
    decisions[]     every promotion, refusal and rollback: {cycle, candidate, promoted, previous,
                    is_rollback, decided_by, decided_at, reasons[]}
"""

from collections.abc import Sequence

from ddl_train.memory.forget import adapters_that_saw
from ddl_train.records import BASE, EvalReport, JsonObject, Usage
from ddl_train.report.losses import read_losses
from ddl_train.report.samplers import sampler_table
from ddl_train.report.suites import mean_divergences, mean_losses, score_suites
from ddl_train.report.tally import (
    Counts,
    cost_by_role,
    count_cycle,
    count_operators,
    current_after,
    num_answered,
    total,
)
from ddl_train.storage.cache import read_index_header
from ddl_train.storage.history import CycleState, PromotionRow
from ddl_train.storage.ledger import WAKE_ROLES, UsageRow
from ddl_train.storage.run import Run

FORMAT = 1


def read_status(run: Run) -> JsonObject:
    """Everything about a run that fits on a page."""
    saw_forgotten = adapters_that_saw(run.database)
    counted = [(state, count_cycle(run, state.cycle)) for state in run.cycles()]
    cycles = [_cycle(run, state, counts) for state, counts in counted]
    answered = [cycle["counts"]["answered"] for cycle in cycles]
    known = [number for number in answered if number is not None]
    return {
        "format": FORMAT,
        "name": run.config.name,
        "dir": str(run.dir),
        "base": run.config.model.base,
        "current": run.current,
        "num_cycles": run.config.num_cycles,
        "next": _next(run),
        "memory": _memory(run),
        "workers": _workers(cycles),
        "cycles": cycles,
        "samplers": sampler_table(run),
        "tax": _tax(
            run, run.usage(), [counts for _, counts in counted], sum(known) if known else None
        ),
        "operators": count_operators(run),
        "cascade": read_losses(run),
        "adapters": [
            {
                "version": adapter.version,
                "cycle": adapter.cycle,
                "parent": adapter.parent,
                "num_rows": adapter.num_rows,
                "num_insights": adapter.num_insights,
                "saw_forgotten": adapter.version in saw_forgotten,
            }
            for adapter in run.adapters()
        ],
        "decisions": [_decision(row) for row in run.promotions()],
    }


def _next(run: Run) -> JsonObject | None:
    cycle = run.next_cycle
    if cycle >= run.config.num_cycles:
        return None
    return {"cycle": cycle, "stage": run.stage(cycle)}


def _memory(run: Run) -> JsonObject:
    row = run.database.execute(
        "SELECT (SELECT count(*) FROM sources) AS sources, "
        "(SELECT count(*) FROM sources WHERE is_held_out) AS held_out_sources, "
        "(SELECT count(*) FROM concepts) AS concepts, "
        "(SELECT count(*) FROM insights) AS insights, "
        "(SELECT coalesce(max(depth), 0) FROM concepts) AS deepest, "
        "(SELECT count(*) FROM verdicts) AS pairs_dreamt"
    ).fetchone()
    return dict(row) | {"index": _index(run)}


def _workers(cycles: Sequence[JsonObject]) -> JsonObject | None:
    wakes = [cycle["notes"]["wake"] for cycle in cycles if cycle["notes"].get("wake")]
    return wakes[-1].get("workers") if wakes else None


def _index(run: Run) -> JsonObject | None:
    header = read_index_header(run.index_path)
    if header is None or not run.index_path.is_file():
        return None
    return {
        "kind": header.factory,
        "rows": header.rows,
        "bytes": run.index_path.stat().st_size,
        "recall": header.recall,
    }


def _cycle(run: Run, state: CycleState, counts: Counts) -> JsonObject:
    reports = run.reports(state.cycle)
    decided = [
        row
        for row in run.promotions()
        if row.cycle == state.cycle and row.promotion.decided_by == "gate"
    ]
    promotion = decided[-1].promotion if decided else None
    answered = num_answered(run, state.cycle, reports, current_after(run, state.cycle))
    candidate = promotion.candidate if promotion else state.facts.get("sleep", {}).get("candidate")
    before = decided[-1].previous if decided else run.current
    return {
        "cycle": state.cycle,
        "stage": state.stage,
        "candidate": candidate,
        "promoted": promotion.promoted if promotion else None,
        "reasons": list(promotion.reasons) if promotion else [],
        "notes": {stage: facts for stage, facts in state.facts.items() if facts},
        "counts": {
            "pairs": counts.pairs,
            "revisits": counts.revisits,
            "revived": counts.revived,
            "proposals": counts.proposals,
            "none": counts.none,
            "refused": counts.refused,
            "admitted": counts.admitted,
            "resting_on_insights": counts.resting_on_insights,
            "deepest": counts.deepest,
            "answered": answered,
        },
        **_measured(reports, candidate, before),
        "tax": _tax(run, run.usage(state.cycle), [counts], answered),
    }


def _measured(
    reports: Sequence[EvalReport], candidate: str | None, current: str
) -> dict[str, object]:
    """Suites and losses side by side; where the current adapter is the base, both name it."""
    of_adapter = {report.adapter: report for report in reports}
    places = {"candidate": candidate, "current": current, "base": BASE}
    suites: dict[str, JsonObject] = {}
    losses: dict[str, JsonObject] = {}
    divergences: dict[str, JsonObject] = {}
    for place, adapter in places.items():
        report = of_adapter.get(adapter) if adapter else None
        if report is None:
            continue
        for suite, score in score_suites(report).items():
            suites.setdefault(suite, {})[place] = {
                "n": score.n,
                "accuracy": score.accuracy,
                "chance": score.chance,
                "margin": score.margin,
            }
        for texts, loss in mean_losses(report).items():
            losses.setdefault(texts, {})[place] = loss
        for texts, divergence in mean_divergences(report).items():
            divergences.setdefault(texts, {})[place] = divergence
    missing = list(dict.fromkeys(why for report in reports for why in report.missing))
    return {"suites": suites, "losses": losses, "divergences": divergences, "missing": missing}


def _tax(
    run: Run, rows: Sequence[UsageRow], counts: Sequence[Counts], answered: int | None
) -> JsonObject:
    roles = cost_by_role(rows)
    wake = total(usage for role, (_, usage) in roles.items() if role in WAKE_ROLES)
    everything = total(usage for _, usage in roles.values())
    admitted_tokens = sum(one.admitted_tokens for one in counts)
    price = run.config.price_per_million_tokens
    shared = {
        "pair": (wake, sum(one.pairs for one in counts)),
        "proposal": (wake, sum(one.proposals for one in counts)),
        "admitted": (wake, sum(one.admitted for one in counts)),
        "answered": (everything, answered or 0),
    }
    return {
        "roles": {
            role: {
                "calls": calls,
                "prompt_tokens": usage.num_prompt_tokens,
                "completion_tokens": usage.num_completion_tokens,
                "seconds": usage.seconds,
                "flops": usage.flops,
            }
            for role, (calls, usage) in roles.items()
        },
        "wake": _cost(wake, 1, price),
        "all": _cost(everything, 1, price),
        "per": {what: _cost(usage, n, price) if n else None for what, (usage, n) in shared.items()},
        "ratio": wake.num_tokens / admitted_tokens if admitted_tokens else None,
    }


def _cost(usage: Usage, n: int, price: float | None) -> JsonObject:
    return {
        "tokens": usage.num_tokens / n,
        "seconds": usage.seconds / n,
        "flops": usage.flops / n,
        "price": None if price is None else price * usage.num_tokens / 1e6 / n,
    }


def _decision(row: PromotionRow) -> JsonObject:
    return {
        "cycle": row.cycle,
        "candidate": row.promotion.candidate,
        "promoted": row.promotion.promoted,
        "previous": row.previous,
        "is_rollback": row.is_rollback,
        "decided_by": row.promotion.decided_by,
        "decided_at": row.decided_at,
        "reasons": list(row.promotion.reasons),
    }
