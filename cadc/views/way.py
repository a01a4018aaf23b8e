"""The way through a study: its steps, what is done of each, and what comes next, as plain values.

A step is a page. What is done follows from files and decisions alone, so that it is the same in every tab and after
every restart.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cadc.curation.lacking import LAST
from cadc.data.table import row_count
from cadc.jobs import control
from cadc.jobs.status import RUNNING, JobStatus
from cadc.study import Study
from cadc.study.decisions import Decision
from cadc.study.jobs import core_jobs, offered_jobs
from cadc.views.jobs import is_read
from cadc.views.opened import is_scored
from cadc.views.words import counted

BEFORE_SCORES = ("ingest", "lengths")
"""Jobs of the step Data: they read files."""
BROKEN = ("failed", "cancelled", "interrupted")


@dataclass(frozen=True, kw_only=True)
class Place:
    """One page of the way."""

    name: str
    file: str
    """Below `pages/`, without its ending."""
    asks: str
    """What a person does there, in a sentence."""
    terms: tuple[str, ...]
    """Words of the glossary (`cadc.views.glossary:TERMS`) that the page uses, the most needed first."""

    @property
    def doc(self) -> str:
        """Its page in the documentation."""
        return f"docs/pages/{self.name.lower()}.md"


PLACES: dict[str, Place] = {place.name: place for place in (
    Place(name="Data", file="1_data",
          asks="Make a study of a pool and a target, and see what was read of them and what was set aside.",
          terms=("pool", "target", "unit", "source", "set aside", "left out", "near-duplicate", "preset")),
    Place(name="Trajectories", file="2_trajectories",
          asks="Start the jobs that score every pool row, see what they cost, and watch them.",
          terms=("job", "warm-up", "checkpoint", "trajectory", "judge", "near(z, s)", "signal", "whitened", "grounded",
                 "transfer")),
    Place(name="Capabilities", file="3_capabilities",
          asks="Look at the groups of target units that learn alike, name them, and move units that stand wrong.",
          terms=("capability", "unit", "similarity", "threshold τ", "resolution γ", "stability", "rival explanation",
                 "transfer")),
    Place(name="Influence", file="4_influence",
          asks="See which pool rows teach which capability: click a source, a capability or a flow to see its rows.",
          terms=("influence", "near(z, s)", "self-influence", "floor", "unattributed", "source", "preset")),
    Place(name="Curriculum", file="5_curriculum",
          asks="Choose how many rows each capability gets, look at what is chosen and why, save, and export the files.",
          terms=("curriculum", "budget", "share", "stage", "staging", "looks wrong", "judge", "near-duplicate", "floor",
                 "self-influence")),
    Place(name="Evaluation", file="6_evaluation",
          asks="Train the base model again on the curriculum and on its rivals, to see whether it beats random rows.",
          terms=("arm", "budget", "gap closed", "held out", "seed")),
)}
"""The pages of the way, in its order."""
ROWS = Place(name="Rows", file="7_rows",
             asks="Filter the pool, click a row to see it whole, tick rows and act on them. The address keeps what you "
                  "see.",
             terms=("influence", "near(z, s)", "capability", "unit", "looks wrong", "near-duplicate", "floor"))
"""No step: a place to look from at any of them."""
EVERY = PLACES | {ROWS.name: ROWS}
"""All pages."""

MARKS = {"done": "done", "running": "at work", "next": "next", "stopped": "stopped", "ready": "open",
         "look": "to look at", "waiting": "later"}
"""States of a step, in words."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """How far one page of the way is."""

    place: Place
    number: int
    """1 for the first."""
    state: str
    """A key of `MARKS`."""
    said: str
    """What is done, or what there is to do, in a few words; no name that somebody typed."""

    @property
    def line(self) -> str:
        """State and what is said of it."""
        return self.said if self.state == "done" else f"{MARKS[self.state]}: {self.said}"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a study; everything that its steps follow from."""

    read: bool = False
    rows: tuple[int, int] = (0, 0)
    """Rows of pool and target that are used."""
    states: tuple[tuple[str, str], ...] = ()
    """(job, state) of the jobs that every study needs, as `JobStatus.state`, in their order."""
    active: str = ""
    """The job at work, '' where there is none."""
    scored: bool = False
    """Whether the later pages have what they show."""
    gradients: bool = True
    """Whether it has gradients, or gets them without being asked."""
    acts: int = 0
    """Acts on the capabilities that are in force."""
    saved: bool = False
    """Whether a curriculum was saved."""
    exports: int = 0
    """Folders that were exported into."""
    comparisons: int = 0
    """Comparisons that were asked for."""
    compared: str = "done"
    """State of the job that retrains, where it was ever asked for."""

    @property
    def jobs_done(self) -> int:
        """How many of `states` are done."""
        return sum(state == "done" for _, state in self.states)

    @property
    def broken(self) -> str:
        """`JOB STATE` of the first job that ended without being done; '' where none did."""
        return next((f"{job} {state}" for job, state in self.states if state in BROKEN), "")


def facts_of(study: Study, decisions: Sequence[Decision], exported: Collection[str] = ()) -> Facts:
    """decisions: of the study, all scopes; exported: folders that the app has exported into. Raises JobError."""
    read, found = is_read(study), {status.job: status for status in control.statuses(study)}
    core = [job for job in core_jobs(study.config) if job in found]
    return Facts(
        read=read, rows=_rows(study) if read else (0, 0), states=tuple((job, found[job].state) for job in core),
        active=_active(found), scored=is_scored(study),
        gradients=study.finished(LAST) or LAST not in offered_jobs(study.config),
        acts=len({d.batch for d in decisions if d.scope == "capabilities" and not d.undone}),
        saved=any(d.kind == "curate" and not d.undone for d in decisions), exports=len(_folders(study, exported)),
        comparisons=sum(1 for _ in (study.evaluation_folder / "requests").glob("*.json")),
        compared=found["evaluate"].state)


def _rows(study: Study) -> tuple[int, int]:
    return row_count(study.samples_file("pool")), row_count(study.samples_file("target"))


def _active(found: dict[str, JobStatus]) -> str:
    """The job at work; one that only waits for its turn where none is."""
    return next((job for state in RUNNING[::-1] for job, one in found.items() if one.state == state), "")


def _folders(study: Study, exported: Collection[str]) -> set[Path]:
    """Folders with an export of a study: those that the app knows, and where commands and `make demo` write."""
    usual = [*study.exports_folder.glob("*/manifest.json"), study.root / "exports" / study.name / "manifest.json"]
    return {Path(one).resolve() for one in exported} | {one.parent.resolve() for one in usual if one.is_file()}


@dataclass(frozen=True, kw_only=True)
class Way:
    """All steps of a study, and where it stands."""

    steps: tuple[Step, ...]
    sentence: str
    """The state of the study in one line."""

    @property
    def next(self) -> Step | None:
        """The step to go on with; None where a job is at work on it, or all is done."""
        return next((step for step in self.steps if step.state in ("next", "stopped")), None)

    def after(self, name: str) -> Step | None:
        """What to go to from the end of a page: the page behind it; behind the last, and behind one that
        is no step, what is still to do."""
        number = next((step.number for step in self.steps if step.place.name == name), None)
        if number is None or number == len(self.steps):
            return self.next if self.next is None or self.next.place.name != name else None
        return self.steps[number]


def way(facts: Facts | None) -> Way:
    """The steps of a study; None: of nothing yet."""
    if facts is None:
        steps = _marked([("next", "make a study"), *[("waiting", "when there is a study")] * (len(PLACES) - 1)])
        return Way(steps=steps, sentence="There is no study yet.")
    steps = _marked([_data(facts), _trajectories(facts), _capabilities(facts), _influence(facts), _curriculum(facts),
                     _evaluation(facts)])
    return Way(steps=steps, sentence=_sentence(facts, steps))


def _marked(found: Sequence[tuple[str, str]]) -> tuple[Step, ...]:
    """(state, said) of every page as steps; the first open one is the next, unless an earlier one is stopped."""
    steps = [Step(place=place, number=number, state=state, said=said)
             for number, (place, (state, said)) in enumerate(zip(PLACES.values(), found, strict=True), 1)]
    for at, step in enumerate(steps):
        if step.state in ("stopped", "next"):
            break
        if step.state == "ready":
            steps[at] = replace(step, state="next")
            break
    return tuple(steps)


def _data(facts: Facts) -> tuple[str, str]:
    if facts.read:
        return "done", f"{facts.rows[0]:,} + {facts.rows[1]:,} rows read"
    if facts.active in BEFORE_SCORES:
        return "running", "reading pool and target"
    broken = next((state for job, state in facts.states if job in BEFORE_SCORES and state in BROKEN), "")
    return ("stopped", f"reading {broken}") if broken else ("ready", "read pool and target")


def _trajectories(facts: Facts) -> tuple[str, str]:
    total, gradients = len(facts.states), "" if facts.gradients else ", without gradients"
    if not facts.read:
        return "waiting", "when the files are read"
    asked = any(state == "queued" and job not in BEFORE_SCORES for job, state in facts.states)
    if facts.active and (asked or facts.active not in (*BEFORE_SCORES, "evaluate", "transfer")):
        return "running", f"{facts.active}, {facts.jobs_done} of {total} jobs done"
    if facts.jobs_done == total:
        return "done", f"{counted(total, 'job')} done{gradients}"
    if facts.broken:
        return "stopped", facts.broken
    began = facts.jobs_done > 1
    return "ready", f"go on with the jobs, {facts.jobs_done} of {total} done" if began else f"start the jobs{gradients}"


def _capabilities(facts: Facts) -> tuple[str, str]:
    if not facts.scored:
        return "waiting", "when the jobs are done"
    if facts.acts:
        return "done", counted(facts.acts, "act", "in force")
    if facts.saved or facts.exports:
        return "done", "taken as they were found"
    return "ready", "look at them, name them"


def _influence(facts: Facts) -> tuple[str, str]:
    if not facts.scored:
        return "waiting", "when the jobs are done"
    return "look", "who teaches what" if facts.gradients else "who is near what; without gradients"


def _curriculum(facts: Facts) -> tuple[str, str]:
    if not facts.scored:
        return "waiting", "when the jobs are done"
    if facts.exports:
        return "done", counted(facts.exports, "export") + ("" if facts.saved else ", nothing saved")
    return "ready", "saved; export it" if facts.saved else "shape it, save it, export it"


def _evaluation(facts: Facts) -> tuple[str, str]:
    asked = counted(facts.comparisons, "comparison")
    if not facts.scored:
        return "waiting", "when the jobs are done"
    if facts.active == "evaluate":
        return "running", "retraining"
    if facts.comparisons and facts.compared in BROKEN:
        return "stopped", f"the latest of {asked} {facts.compared}"
    return ("done", asked) if facts.comparisons else ("ready", "compare it with random rows")


def _sentence(facts: Facts, steps: Sequence[Step]) -> str:
    """One line for the head of a page."""
    if not facts.read:
        return f"Pool and target: {steps[0].said}."
    jobs = {"done": steps[1].said, "running": f"at work: {steps[1].said}"}.get(steps[1].state, "")
    parts = [f"{facts.rows[0]:,} pool rows, {facts.rows[1]:,} target rows", jobs or f"jobs: {steps[1].said}"]
    if facts.scored:
        acts = f"{counted(facts.acts, 'act')} on capabilities" if facts.acts else "capabilities as they were found"
        parts += [acts,
                  "curriculum saved" if facts.saved else "no curriculum saved",
                  counted(facts.exports, "export"), counted(facts.comparisons, "comparison")]
    return " · ".join(parts)
