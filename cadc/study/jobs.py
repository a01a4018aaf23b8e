"""The table of jobs: what each reads, after which others it runs, and which function does it.

The table is data and imports nothing of what it names, so that a study can say where a job's results lie (their key
follows from what the job reads) without loading the job. docs/architecture.md has the graph.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cadc.errors import JobError
from cadc.study.config import OF_STATES, StudyConfig, joined_signals
from cadc.study.registry import Registry


def _always(config: StudyConfig) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Job:
    """One step of a study's computation. Same key, same result."""

    name: str
    about: str
    """What it does, in a line."""
    run: str
    """`module:function`, called with (study, progress); with `engine=…` too where the job is `parallel`."""
    after: tuple[str, ...] = ()
    """Jobs whose results it reads."""
    settings: tuple[str, ...] = ()
    """Fields of `StudyConfig` that it reads; a changed one makes another key."""
    files: tuple[str, ...] = ()
    """Files of the person's own that it reads, by content: of `pool`, `target`, `model`."""
    version: int = 1
    """Raised when the same settings give another result than before."""
    core: bool = True
    """Whether a study needs it before its later pages can show anything."""
    advisory: bool = False
    """Whether it runs with the others though nothing needs its result: a study is complete without it, and where it
    fails the others go on."""
    optional: Callable[[StudyConfig], bool] = lambda config: False
    """Whether a study with these settings has this job only when asked for it: it is complete without."""
    parallel: bool = False
    """Whether its work is shared out by an engine."""
    wanted: Callable[[StudyConfig], bool] = _always
    """Whether a study with these settings has this job at all."""
    names: tuple[tuple[str, str], ...] = ()
    """(glob pattern, what such a file of its results is), for messages about damage."""
    volatile: tuple[str, ...] = ()
    """Patterns of result files that say when and how fast: they differ from run to run and are no input of any job."""
    cost: str = ""
    """`module:function` that predicts what it takes (`cadc.estimate`)."""

    def function(self) -> Callable[..., None]:
        """The function that does it, imported now. Raises JobError where there is none."""
        return named(self.run)

    def called(self, file: str) -> str:
        """What a result file is, for a person."""
        from fnmatch import fnmatchcase

        return next((what for pattern, what in self.names if fnmatchcase(file, pattern)), f"file {file}")


def named(text: str) -> Callable[..., Any]:
    """`module:function` → the function. Raises JobError when it cannot be found."""
    module, _, function = text.partition(":")
    try:
        return getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise JobError(f"{text} cannot be found ({error}). Mend the entry in the table that names it.") from error


_PICTURES = ("max_pixels", "follow_links")
_MODEL = ("precision", "quantization", "max_tokens", *_PICTURES)
_LORA = ("lora_rank", "lora_alpha", "lora_layers", "lora_targets", "seed")
_ADAPTED = (*_MODEL, *_LORA)
_CHOICE = ("samples_per_unit", "near_samples")


_PLANE = (("*.npy", "the layout of the pool"), ("layout.json", "how the pool was laid out"))


def _compares(config: StudyConfig) -> bool:
    return bool(joined_signals(config))


def _without_gradients(config: StudyConfig) -> bool:
    return config.preset == "quick"


def _embeds(config: StudyConfig) -> bool:
    return bool(set(OF_STATES) & set(joined_signals(config)))


JOBS: Registry[Job] = Registry("job", (
    Job(name="ingest", about="reads pool and target", run="cadc.data.job:run_ingest", files=("pool", "target"),
        settings=("unit_column", "control_tokens", "reading", *_PICTURES),
        names=(("pool.parquet", "the samples of the pool"), ("target.parquet", "the samples of the target"),
               ("pictures-*.parquet", "the list of pictures"), ("report.json", "the report on pool and target"),
               ("images-*", "a picture that was embedded in the input")),
        volatile=("report.json", "pictures-*.parquet")),
    Job(name="lengths", about="estimates tokens of every row", run="cadc.models.lengths:run_lengths",
        after=("ingest",), files=("model",), advisory=True,
        names=(("tokens-*.npy", "estimated tokens"), ("lengths.json", "how tokens were estimated"))),
    Job(name="judge", about="trains adapters on the target alone, finds rows that look wrong",
        run="cadc.signals.judge:run_judge", after=("ingest",), files=("model",), parallel=True,
        cost="cadc.estimate.costs:judge",
        settings=(*_ADAPTED, *_CHOICE, "judges", "judge_steps", "warmup_batch", "learning_rate", "shard_rows"),
        wanted=lambda config: config.judges > 0,
        names=(("judge-*", "an adapter trained on the target"), ("shard-*", "a shard of losses"),
               ("hidden-*", "a shard of embeddings"), ("judge.json", "how the judges were trained"),
               ("left-out-*.json", "the list of rows that no judge read"), ("*.npy", "a column of the judge")),
        volatile=("shard-*.json", "left-out-*.json")),
    Job(name="embedding", about="one forward of the untrained base over pool and target",
        run="cadc.signals.embedding:run_embedding", after=("ingest",), files=("model",),
        settings=(*_MODEL, "answer_states"),
        wanted=_embeds, cost="cadc.estimate.costs:embedding",
        names=(("*.npy", "embeddings of the untrained base"), ("left-out-*.json", "the list of rows without one")),
        volatile=("left-out-*.json",)),
    Job(name="quick", about="says how near each row is to each target sample, near(z, s), without a gradient",
        run="cadc.signals.near:run_quick", after=("ingest", "embedding"), wanted=_compares,
        cost="cadc.estimate.costs:quick",
        settings=("near_q", "nearness", "best_rows", "whitened", "features", "landmarks", "seed", "answer_states",
                  *_CHOICE),
        names=(("*.npy", "a column of the nearness without gradients"), ("quick.json", "its units and signals"))),
    Job(name="layout", about="lays the pool out in the plane, by its embedding", after=("ingest", "embedding"),
        run="cadc.discovery.pool_layout:run_layout", settings=("seed",), optional=_always, wanted=_embeds,
        names=_PLANE),
    Job(name="warmup", about="trains a short while, keeps checkpoints", run="cadc.training.warmup:run_warmup",
        after=("ingest",), files=("model",), parallel=True, cost="cadc.estimate.costs:warmup",
        settings=(*_ADAPTED, "warmup_share", "warmup_min_rows", "warmup_epochs", "warmup_batch", "learning_rate",
                  "checkpoints"),
        optional=_without_gradients,
        names=(("checkpoint-*", "a checkpoint of the warm-up"), ("warmup.json", "the summary of the warm-up"),
               ("about.json", "what the warm-up took"), ("log.jsonl", "the log of the warm-up")),
        volatile=("log.jsonl", "about.json")),
    Job(name="targets", about="gradients of the target samples", run="cadc.gradients.targets:run_targets",
        after=("ingest", "warmup"), files=("model",), parallel=True, cost="cadc.estimate.costs:targets",
        settings=(*_ADAPTED, *_CHOICE, "checkpoints", "features", "grounded", "permutations", "mode", "sketch_dim",
                  "whitened"),
        optional=_without_gradients,
        names=(("vectors-*", "target gradients of a checkpoint"), ("gram.safetensors", "Gram matrices of the target"),
               ("targets.json", "the list of target samples"), ("batch.json", "how target batches are cut"),
               ("about.json", "what the target gradients took")),
        volatile=("about.json", "batch.lock")),
    Job(name="attribute", about="gradients of every pool row", run="cadc.gradients.attribute:run_attribute",
        after=("ingest", "warmup", "targets"), files=("model",), parallel=True, cost="cadc.estimate.costs:attribute",
        settings=(*_ADAPTED, "checkpoints", "features", "grounded", "near_q", "best_rows", "landmarks", "shard_rows",
                  "whitened", "ridge"),
        optional=_without_gradients,
        names=(("shard-*.safetensors", "a shard of pool gradients"), ("shard-*.json", "what a shard holds"),
               ("features-*.safetensors", "a shard of forward features"), ("features-*.json", "what a shard holds"),
               ("batch.json", "how pool batches are cut")),
        volatile=("*.json", "batch.lock")),
    Job(name="scores", about="puts the shards together into columns", run="cadc.scores.compaction:run_scores",
        after=("ingest", "warmup", "targets", "attribute"), cost="cadc.estimate.costs:scores",
        settings=("checkpoints", "grounded", "best_rows", "landmarks", "shard_rows", "seed", "whitened", "features"),
        optional=_without_gradients,
        names=(("held-out/*.npy", "a column of held-out predictions"), ("*.npy", "a column of the scores"),
               ("scores.json", "the names of the target units"), ("failed.json", "the rows that were left out"),
               ("attribute.json", "the report on attribution")),
        volatile=("attribute.json",)),
    Job(name="transfer", about="measures what training on one target unit does to every other",
        run="cadc.discovery.transfer_job:run_transfer", after=("ingest",), files=("model",), parallel=True,
        optional=_always, cost="cadc.estimate.costs:transfer",
        settings=(*_ADAPTED, "samples_per_unit", "learning_rate", "transfer_steps", "transfer_repeats"),
        names=(("start.npz", "the losses that transfer starts from"),
               ("run-*.npz", "a run of the transfer between units"),
               ("*.npy", "the losses of measured transfer"), ("transfer.json", "the summary of measured transfer"))),
    Job(name="near", about="says the same by gradients and the other signals joined", run="cadc.signals.near:run_near",
        after=("targets", "scores", "embedding"), version=2, cost="cadc.estimate.costs:near",
        settings=("near_q", "nearness", "whitened", "ridge", "features", "landmarks", "answer_states"),
        optional=_without_gradients, names=(("*.npy", "a column of the joined nearness"),)),
    Job(name="profile_layout", about="lays the pool out by near(z, s), in a study without an embedding",
        run="cadc.discovery.pool_layout:run_layout", after=("ingest", "scores", "near"), settings=("seed",),
        optional=_always, wanted=lambda config: not _embeds(config), names=_PLANE),
    Job(name="evaluate", about="retrains and compares", run="cadc.evaluation.run:run_evaluation",
        after=("ingest",), files=("model",), core=False,
        settings=_ADAPTED),
))
"""Every job, in the order in which they run."""

RENAMED = {"crossfit": "judge", "out_of_fold": "judge"}
"""Jobs of earlier versions, and what does their work today."""


def core_jobs(config: StudyConfig | None = None) -> tuple[str, ...]:
    """What a study needs before its later pages can show anything; only those that it has, with its settings given."""
    return tuple(job for job in usual_jobs(config) if not JOBS[job].advisory)


def usual_jobs(config: StudyConfig | None = None) -> tuple[str, ...]:
    """What a run without an end named does: `core_jobs` and, in their places, those that nothing needs."""
    return tuple(job.name for job in JOBS.values()
                 if job.core and (config is None or (job.wanted(config) and not on_request(job, config))))


def offered_jobs(config: StudyConfig) -> tuple[str, ...]:
    """What a study with these settings can have and runs only when asked for it."""
    return tuple(job.name for job in JOBS.values() if job.core and job.wanted(config) and on_request(job, config))


def on_request(job: Job, config: StudyConfig) -> bool:
    """Whether a study with these settings has this job only when asked for: it is optional, or rests on one that is."""
    return job.optional(config) or any(
        on_request(JOBS[one], config) for one in job.after if one in JOBS and JOBS[one].wanted(config))


def job_named(name: str) -> Job:
    """A job, also by its name in an earlier version. Raises JobError for an unknown one."""
    name = RENAMED.get(name, name)
    if name not in JOBS:
        raise JobError(f"unknown job {name!r}. Jobs: {', '.join(JOBS)}")
    return JOBS[name]


def up_to(name: str, config: StudyConfig) -> tuple[str, ...]:
    """The jobs that must run for `name` to be done, itself last. Raises JobError for an unknown one."""
    last = job_named(name)
    needed = {last.name}
    for job in reversed(list(JOBS.values())):
        if job.name in needed:
            needed |= set(job.after)
    if not last.core:  # evaluate compares curricula: they need everything that makes one
        needed |= set(core_jobs(config))
    before = list(JOBS)[:list(JOBS).index(last.name)]
    needed |= {name for name in before if JOBS[name].advisory and needed >= set(JOBS[name].after)}
    return tuple(job.name for job in JOBS.values() if job.name in needed and (job.wanted(config) or job is last))
