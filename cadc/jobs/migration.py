"""Results of the first version, which kept them in the study's own folder, taken over as they are.

What a person's machine computed long is taken: checkpoints, target gradients, shards and embeddings. What follows from
these in seconds is made anew: columns, joined nearness. Its cross-fitted losses stay where they lie: no job reads such
any more. Pool and target are read again, since the first version did not look at what is in the pictures; where they
read otherwise than before, nothing fits and one line says so. Used once per study and job; the old files move.
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cadc.study import Study, file_digest, write_json, write_tensors
from cadc.study.progress import Progress
from cadc.study.results import write_sealed

log = logging.getLogger(__name__)

OLD = {"warmup": "warmup", "targets": "targets", "attribute": "attribute", "embedding": "embedding"}
"""Job → folder of its results below the study's."""
_COMPARED = ("index", "id", "images", "source", "unit", "turns", "group")


def adopt(study: Study, job: str, progress: Progress) -> bool:
    """Take over what the first version computed for a job that is about to run, where it still fits; whether it did.

    What the job took then stays its cost.
    """
    old = study.folder / OLD.get(job, job)
    if job not in OLD or not old.is_dir() or any(study.result(job).folder.glob("*")):
        return False
    if why := _unfit(study):
        log.warning("results of the earlier version are left aside: %s", why)
        progress.note(f"results of the earlier version are left aside: {why}")
        return False
    try:
        _TAKE[job](study, old)
    except (OSError, KeyError, ValueError) as error:
        log.warning("the earlier version's %s cannot be taken over (%s): made anew", job, error)
        progress.note(f"the earlier version's {job} cannot be taken over ({error}): made anew")
        return False
    log.info("%s of the earlier version taken over", job)
    progress.note(f"{job} of the earlier version taken over")
    cost = study.folder / "jobs" / OLD[job] / "cost.json"
    if cost.exists():
        write_json(study.cost_file(job), json.loads(cost.read_text()) | {"job": job})
    return True


def _unfit(study: Study) -> str:
    """Why nothing of the first version can be used, in one line; '' when it can."""
    for role in ("pool", "target"):
        if study.content[role] != study.inputs.get(role):
            return f"the {role} file has changed since"
        before = study.folder / "ingest" / f"{role}.parquet"
        if not before.exists():
            return "its samples were never read"
        if not _same_samples(before, study.samples_file(role)):
            return f"the {role} reads otherwise than before (pictures came, went, or rows are read differently)"
    if (now := _model_digest(study.config.model)) != study.inputs.get("model"):
        return f"the model has changed since ({now[:8]}…)"
    return ""


def _same_samples(before: Path, after: Path) -> bool:
    import pyarrow.parquet as pq

    one, other = (pq.read_table(path, columns=list(_COMPARED)) for path in (before, after))
    return bool(one.equals(other))


def _model_digest(model: str) -> str:
    """As the first version made it: weights over 64 MiB by size and time, no other tokenizer files than JSON."""
    folder = Path(model)
    if not folder.is_dir():
        return model
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix in (".json", ".safetensors", ".jinja")):
        about = path.stat()
        content = file_digest(path) if about.st_size < 64 << 20 else f"{about.st_size} {about.st_mtime_ns}"
        digest.update(f"{path.relative_to(folder)} {content}\n".encode())
    return digest.hexdigest()


def _own(path: Path, study: Study) -> dict[str, Any]:
    """A JSON of the first version. Raises ValueError when it is another study's."""
    found = json.loads(path.read_text())
    if found["identity"] != study.identity:
        raise ValueError(f"{path.name} belongs to another study")
    return {key: value for key, value in found.items() if key != "identity"}


def _tensors(before: Path, after: Path, about: dict[str, str]) -> None:
    """The same tensors with the metadata of today, so that a file made anew has the same bytes."""
    from safetensors.torch import load_file

    write_tensors(after, load_file(before), about)
    before.unlink()


def _warmup(study: Study, old: Path) -> None:
    from safetensors import safe_open

    done, result = _own(old / "warmup.json", study), study.result("warmup")
    files = [old / f"checkpoint-{t + 1}.safetensors" for t in range(study.config.checkpoints)]
    if [file_digest(path) for path in files] != done.pop("checkpoints"):
        raise ValueError("a checkpoint has other bytes than were written")
    for path in files:
        with safe_open(path, "pt") as handle:
            head = handle.metadata()
        _tensors(path, result.folder / path.name,
                 {"key": result.key, "step": head["step"], "updates": head["updates"]})
    seconds = done.pop("seconds")
    write_json(result.folder / "warmup.json", done)
    write_json(result.folder / "about.json", {"seconds": seconds})
    os.replace(old / "log.jsonl", result.folder / "log.jsonl")
    result.finish()


def _batch(before: Path, after: Path, study: Study, key: str) -> None:
    kept = _own(before, study)
    write_sealed(after, {name: kept[name] for name in ("rows", "tokens", "reason", "warnings")} | {"key": key})


def _targets(study: Study, old: Path) -> None:
    done, result = _own(old / "targets.json", study), study.result("targets")
    if file_digest(old / "gram.safetensors") != done.pop("gram_digest"):
        raise ValueError("the Gram matrices have other bytes than were written")
    products, seconds = done["products"], done.pop("seconds")
    moment = {key: products.pop(key) for key in ("reason", "free_mb")}
    done.pop("checkpoints")
    about = {"key": result.key, "mode": products["mode"], "dim": str(products["dim"])}
    for name in (*(f"vectors-{t + 1}" for t in range(study.config.checkpoints)), "gram"):
        _tensors(old / f"{name}.safetensors", result.folder / f"{name}.safetensors", about)
    _batch(old / "batch.json", result.folder / "batch.json", study, result.key)
    write_json(result.folder / "targets.json", done)
    write_json(result.folder / "about.json", {"seconds": seconds, "products": moment})
    result.finish()


def _attribute(study: Study, old: Path) -> None:
    """Shard by shard; those that do not fit are computed again by the job."""
    result, targets = study.result("attribute"), study.require("targets").record
    batch = _own(old / "batch.json", study)
    _batch(old / "batch.json", result.folder / "batch.json", study, result.key)
    for path in sorted(old.glob("*-?????.safetensors")):
        facts = _own(path.with_suffix(".json"), study)
        if file_digest(path) != facts["sha256"]:
            log.warning("%s has other bytes than were written: computed again", path.name)
            continue
        facts.pop("source")
        _tensors(path, result.folder / path.name, {"key": result.key})
        own = {"key": result.key, "shard": facts.pop("shard"), "rows": facts.pop("rows"),
               "sha256": file_digest(result.folder / path.name), "inputs": targets.digest if targets else "",
               "batch": {name: batch[name] for name in ("rows", "tokens", "reason", "warnings")}}
        facts.pop("sha256")
        write_sealed(result.folder / f"{path.stem}.json", own | facts)


def _embedding(study: Study, old: Path) -> None:
    result = study.result("embedding")
    result.folder.mkdir(parents=True, exist_ok=True)
    for role in ("pool", "target"):
        _own(old / f"{role}.json", study)
        for part in ("index", "values"):
            os.replace(old / f"{role}-{part}.npy", result.folder / f"{role}-{part}.npy")
    result.finish()


_TAKE: dict[str, Callable[[Study, Path], None]] = {
    "warmup": _warmup, "targets": _targets, "attribute": _attribute, "embedding": _embedding}
