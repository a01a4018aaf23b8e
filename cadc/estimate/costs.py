"""What each job costs: one function per job, which counts its work, its memory and its disk.

The same count is priced in two ways. On this machine a study in small says what a unit of work takes, in seconds
(`measured`); for a device that is not here the unit is counted, in FLOP (`counted`). The table of jobs names the
function of each (`Job.cost`): a job from elsewhere brings its own.

Shape letters: N pool samples, T checkpoints, S single target samples, M units, R target vectors, P LoRA parameters, W
hidden width.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cadc.discovery.intervention import TransferSettings
from cadc.estimate.sizes import Sizes
from cadc.gradients.landmarks import gradient_rows
from cadc.jobs.meter import MB
from cadc.signals import judge_training
from cadc.study import JOBS, StudyConfig
from cadc.study.config import joined_signals
from cadc.study.jobs import named

if TYPE_CHECKING:
    from cadc.estimate.calibration import Rates
    from cadc.estimate.flops import RowFlops


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a study asks, and of whom."""

    config: StudyConfig
    sizes: Sizes
    parameters: int
    """P."""
    width: int
    """W."""
    number_bytes: float = 4.0
    """Of one number of a target vector on disk."""
    workers: int = 1
    """Processes that share the pool pass."""
    lanes: int = 1
    """Threads that share the target pass, at most."""
    lane_mb: float = 0.0
    """What each of them but the first holds."""


@dataclass(frozen=True, kw_only=True)
class Prices:
    """What a unit of work costs: seconds where it was measured, FLOP where it was counted."""

    fresh_row: float
    """Train on a row that is seen for the first time."""
    known_row: float
    """Train on a row whose part below the adapters is kept (measured), or computed again (counted)."""
    read_row: float
    """Read the loss of such a row."""
    target_row: float
    """A target row of one pass, all T checkpoints."""
    pool_row: float
    """A pool row, all T checkpoints, with `small_vectors` target vectors."""
    vector: float
    """Product of a row's gradient with one more target vector, at one checkpoint."""
    more_row: float = 0.0
    """One more forward of a row, while what lies below its adapters is at hand."""
    start: float = 0.0
    """Start a process."""
    first_load: float = 0.0
    """Load the model for the first time in a process."""
    load: float = 0.0
    """Load it again."""
    warmup_rest: float = 0.0
    """What the warm-up needs beside loading and steps."""
    warmup_gain: float = 1.0
    """By which its steps are divided: parts of a batch are computed side by side."""
    pool_start: float = 0.0
    """The pool pass without its rows."""
    gram: float = 0.0
    """One multiply-add of the Gram matrices."""
    write_mb: float = 0.0
    """Write one MB."""
    small_vectors: int = 0

    @property
    def below_row(self) -> float:
        """What is computed once per row and kept: all that lies below the adapters."""
        return self.fresh_row - self.known_row

    @property
    def forward_row(self) -> float:
        """One forward of a row, nothing of it kept before."""
        return self.below_row + self.read_row


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What a job holds, told in two ways: as more of what a job of the study in small held, and by parts."""

    like: str
    """The job of the study in small whose peak it starts from: `warmup`, `targets` or `attribute`."""
    parts: tuple[str, ...] = ()
    """On a device: keys of `estimate.device_memory`; `vectors` stands for the target vectors as they are multiplied."""
    copies: float = 0.0
    """How often a process holds the target vectors that the study in small did not have."""
    arrays_mb: float = 0.0
    """What it holds on the host beside these."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one job takes."""

    price: float
    """Seconds or FLOP, as the prices were."""
    disk_mb: float
    memory: Memory
    shared: bool = False
    """Whether several processes or devices do it together; each holds all of its memory."""
    beside: bool = False
    """Whether several processes of this machine do it together where it has no GPU; each holds all of its memory."""


# ---- the two kinds of prices -----------------------------------------------------------------------------------------
def measured(rates: "Rates") -> Prices:
    """Seconds, from what the study in small took."""
    return Prices(fresh_row=rates.fresh_row, known_row=rates.known_row,
                  read_row=rates.known_row / 2,  # a backward through frozen weights costs about a forward
                  more_row=rates.known_row / 2,
                  target_row=rates.target_row, pool_row=rates.pool_row, vector=rates.vector, start=rates.start,
                  first_load=rates.first_load, load=rates.load, warmup_rest=rates.warmup_rest,
                  warmup_gain=rates.warmup_gain, pool_start=rates.pool_start, gram=rates.gram, write_mb=rates.write_mb,
                  small_vectors=rates.small_vectors)


def counted(row: "RowFlops", checkpoints: int, vector: float) -> Prices:
    """FLOP, from those of a mean row; `vector`: those of one product. Nothing is kept between passes over a row."""
    trained, scored = row.once + row.each, row.once + checkpoints * row.each
    return Prices(fresh_row=trained, known_row=trained, read_row=row.once + row.forward, more_row=row.forward,
                  target_row=scored, pool_row=scored, vector=vector)


# ---- the jobs --------------------------------------------------------------------------------------------------------
def warmup(work: Work, prices: Prices) -> Cost:
    """Training steps; T checkpoints with their moments."""
    sizes = work.sizes
    rows = sizes.fresh_rows + sizes.known_rows
    steps = sizes.fresh_rows * prices.below_row + rows * prices.known_row / prices.warmup_gain
    return Cost(price=prices.start + prices.first_load + prices.warmup_rest + steps,
                disk_mb=work.config.checkpoints * work.parameters * 12 / MB,
                memory=Memory(like="warmup", parts=("weights", "activations")))


def targets(work: Work, prices: Prices) -> Cost:
    """Rows of all passes and Gram matrices, shared by the lanes, each of which loads a model; R vectors at each
    checkpoint. The job holds its vectors, and once more those it keeps while it writes."""
    from cadc.models.batching import ROWS

    sizes, steps = work.sizes, work.config.checkpoints
    balanced = sizes.singles**2 if work.config.whitened and work.config.features != "less" else 0
    grams = steps * (sizes.singles**2 + balanced + (sizes.vectors - sizes.singles) * sizes.units) * work.parameters
    disk = (steps * (sizes.vectors * work.parameters * work.number_bytes + balanced * 4) + _gram_bytes(work)) / MB
    lanes = min(work.lanes, -(-sizes.targets // ROWS))  # no more than there are batches in a pass
    shared = (sizes.passes * prices.target_row + grams * prices.gram) / lanes
    return Cost(price=lanes * prices.load + shared + disk * prices.write_mb, disk_mb=disk,
                memory=Memory(like="targets", parts=("weights", "adapters", "activations"), copies=2,
                              arrays_mb=(lanes - 1) * work.lane_mb))


def attribute(work: Work, prices: Prices) -> Cost:
    """The pool pass, shared by the workers; a forward of all rows where some are predicted. A worker holds the
    vectors, and one checkpoint's once more while it cuts them by linear."""
    config, sizes, steps = work.config, work.sizes, work.config.checkpoints
    scored = gradient_rows(config.landmarks, sizes.pool)
    looked = sizes.pool if scored < sizes.pool else 0
    shard_best = _signals(config) * sizes.singles * min(config.best_rows, config.shard_rows) * 8
    disk = (_columns_bytes(work) + -(-sizes.pool // config.shard_rows) * shard_best) / MB
    row = prices.pool_row + steps * max(sizes.vectors - prices.small_vectors, 0) * prices.vector
    rows = scored * sizes.distinct / max(sizes.pool, 1) * row + looked * prices.forward_row
    return Cost(price=prices.pool_start + rows / work.workers + disk * prices.write_mb, disk_mb=disk, shared=True,
                memory=Memory(like="attribute", parts=("weights", "adapters", "activations", "vectors"),
                              copies=1 + 1 / steps))


def scores(work: Work, prices: Prices) -> Cost:
    """The shards put together: columns, the best rows of each target sample, Gram matrices."""
    columns = _columns_bytes(work)
    best = _signals(work.config) * work.sizes.singles * work.config.best_rows * 8
    disk = (columns + best + _gram_bytes(work)) / MB
    return Cost(price=disk * prices.write_mb, disk_mb=disk, memory=Memory(like="warmup", arrays_mb=columns / MB))


def embedding(work: Work, prices: Prices) -> Cost:
    """One forward of the base over pool and target, by one process (docs/decisions/0019); nothing where judges make
    one."""
    rows = work.sizes.pool + work.sizes.target_rows
    disk = rows * (work.width * (8 if work.config.answer_states else 4) + 8) / MB
    price = 0.0 if work.config.judges else prices.load + rows * prices.forward_row
    return Cost(price=price, disk_mb=disk,
                memory=Memory(like="warmup", parts=("weights", "activations"), arrays_mb=2 * disk))


def quick(work: Work, prices: Prices) -> Cost:
    """Similarities of every row with every single target sample by each signal without gradients, on the host, which
    holds the features of all of them."""
    return _joined(work, prices, own_columns=8 * work.sizes.pool + 12 * work.sizes.singles)


def near(work: Work, prices: Prices) -> Cost:
    """The same, joined with the columns of gradients."""
    return _joined(work, prices, own_columns=16 * work.sizes.units)


def _joined(work: Work, prices: Prices, *, own_columns: int) -> Cost:
    """near(z, s) with winners, and the best rows of each target sample; `own_columns`: bytes of what else a job keeps.
    """
    sizes, signals = work.sizes, len(joined_signals(work.config))
    disk = (sizes.pool * sizes.units * 8 + sizes.singles * work.config.best_rows * 8 + own_columns) / MB
    products = signals * sizes.pool * sizes.singles * work.width
    return Cost(price=products * prices.gram + disk * prices.write_mb, disk_mb=disk,
                memory=Memory(like="warmup", arrays_mb=signals * sizes.pool * work.width * 4 / MB + 4 * disk))


def judge(work: Work, prices: Prices) -> Cost:
    """Short trainings on the target, each of which computes what lies below the adapters once; then a forward of the
    base and of every judge over pool and target, shared by the workers."""
    config, sizes = work.config, work.sizes
    taught = sizes.targets - sizes.targets // judge_training.fold_count(config.judges)
    rows = judge_training.steps_for(config, taught) * judge_training.batch_for(config, taught)
    trained = config.judges * (rows * prices.known_row + sizes.targets * prices.below_row)
    rows_read = sizes.pool + sizes.target_rows
    read = (sizes.distinct + sizes.target_rows) * (prices.forward_row + config.judges * prices.more_row)
    shards = rows_read * ((1 + config.judges) * 4 + 12)  # losses, tokens, positions
    columns = sizes.pool * 20 + sizes.singles * 16
    disk = (shards + columns + config.judges * work.parameters * 4) / MB
    return Cost(price=2 * prices.load + trained + read / work.workers, disk_mb=disk, shared=True,
                memory=Memory(like="warmup", parts=("weights", "activations")))


def transfer(work: Work, prices: Prices) -> Cost:
    """A short training on each target unit in each repeat, and the held-out losses of all units after each; every
    process computes once what lies below the adapters of all samples."""
    config, sizes = work.config, work.sizes
    per_unit = -(-sizes.targets // max(1, sizes.units))
    trained, measured_rows = transfer_rows(config, sizes.units, per_unit)
    runs = trained * prices.known_row + measured_rows * prices.read_row
    return Cost(price=prices.load + sizes.targets * prices.forward_row + runs / work.workers, beside=True,
                disk_mb=2 * measured_rows * 4 / MB,
                memory=Memory(like="attribute", parts=("weights", "activations")))


def transfer_rows(config: StudyConfig, units: int, per_unit: int) -> tuple[int, int]:
    """(samples trained on, samples whose loss is read) over all runs of the intervention test, for so many units of so
    many samples each."""
    settings = TransferSettings.of(config)
    train, _, read = settings.sizes(per_unit)
    runs = units * settings.repeats
    return runs * settings.steps * min(settings.batch, train), runs * units * read


def _gram_bytes(work: Work) -> int:
    """Gram matrices of single samples and of unit means at every checkpoint."""
    sizes = work.sizes
    kinds = 2 if sizes.grounded else 1
    return work.config.checkpoints * (sizes.singles**2 + kinds * sizes.units**2) * 4


def _columns_bytes(work: Work) -> int:
    """What is kept of every pool row: dots, norms, loss, near and winner of each signal, tokens."""
    sizes, steps = work.sizes, work.config.checkpoints
    kinds = 2 if sizes.grounded else 1
    return sizes.pool * (steps * (sizes.units * kinds + 3) + 2 * _signals(work.config) * sizes.units + 1) * 4


def _signals(config: StudyConfig) -> int:
    """How many signals the pool pass leaves: plain gradients, and whitened ones."""
    return 2 if config.whitens else 1


CostFunction = Callable[[Work, Prices], Cost]


def costs_of(work: Work, prices: Prices) -> dict[str, Cost]:
    """What each job takes that a study with these settings has and whose cost somebody wrote down, in their order."""
    found = {}
    for job in JOBS.values():
        if job.core and job.cost and job.wanted(work.config):
            cost: CostFunction = named(job.cost)
            found[job.name] = cost(work, prices)
    return found
