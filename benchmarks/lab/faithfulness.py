"""Faithfulness of every influence on the same half-pool retrainings: the linear datamodelling score (METHOD §6)."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.lab.lds import HalfPools, measured, scores_of
from benchmarks.lab.plan import Plan
from cadc.study import Study

if TYPE_CHECKING:
    from cadc.evaluation.material import Material
    from cadc.models import Vlm
    from cadc.scores.scores import Scores

FEWEST = 3
"""Halves below which nothing is said: two are always ranked perfectly, one way or the other."""


def lds_question(study: Study, scored: tuple[int, ...], plan: Plan) -> HalfPools:
    """Halves of a random part of the pool, measured on the held-out samples."""
    from cadc.scores.scores import Scores

    index = np.asarray(Scores.load(study).index)
    rows = np.random.default_rng([study.config.seed, 83]).choice(index, min(plan.lds_rows, len(index)), replace=False)
    return HalfPools(rows=tuple(int(i) for i in np.sort(rows)), scored=scored, retrainings=plan.lds_retrainings,
                     steps=plan.lds_steps, products=plan.products)


def lds_part(study: Study, asked: HalfPools) -> dict[str, Any]:
    """{influence: score} with what the score was measured on; {} while too few halves are finished to rank."""
    from cadc.curation.workbench import open_workbench
    from cadc.evaluation.material import Material

    inputs = open_workbench(study).inputs
    material = Material(study, inputs, np.zeros(len(inputs.scores.index), bool))
    halves, loss = measured(study, asked, material.scores.units)
    if len(loss) < FEWEST:
        return {}
    found = scores_of(influences(material, np.array(asked.rows)), halves, loss)
    return {"scores": {name: asdict(score) for name, score in found.items()}, "rows": len(asked.rows),
            "retrainings": len(loss), "steps": asked.steps, "scored": len(asked.scored),
            "loss_sd": float(loss.std(0).mean())}


def influences(material: "Material", rows: np.ndarray) -> dict[str, np.ndarray]:
    """Each influence of these rows (positions in the pool file) on each unit: float [n, M]."""
    from cadc.scores.scores import Scores
    from cadc.signals import SIGNALS

    scores, study = material.gradients, material.study
    place = np.searchsorted(np.asarray(scores.index), rows)
    units, rng = len(scores.units), np.random.default_rng(84)
    signals = [name for name in SIGNALS if name != "whitened" or study.config.whitens]
    found = {f"near: {name}": np.asarray(material.nearness(name).scores.near)[:, place].T for name in signals}
    if study.finished("near"):
        found["near: joined"] = np.asarray(Scores.load(study, near="joined").near)[:, place].T
    last = np.asarray(scores.dots[-1])[:, place].T  # [n, M]
    return found | {"unit means": material.unit_influence[place], "unit means, last checkpoint": last,
                    "whole target (LESS)": np.repeat(material.target_influence[place, None], units, 1),
                    "gradient cosine, no Adam": gradient_cosine(study, rows, scores),
                    "random": rng.normal(size=(len(rows), units))}


def gradient_cosine(study: Study, rows: np.ndarray, scores: "Scores") -> np.ndarray:
    """Mean cosine of plain gradients at the last checkpoint with a unit's single target samples: float64 [n, M].

    What gradient similarity is in attribution libraries (bergson, dattri): no optimiser, one checkpoint. By autograd,
    one sample at a time, so that nothing of the engine that is judged takes part.
    """
    from safetensors.torch import load_file

    from cadc.models import load_adapter_state, open_vlm

    vlm = open_vlm(study.config)
    state = load_file(study.require("warmup").intact(f"checkpoint-{study.config.checkpoints}.safetensors"))
    load_adapter_state(vlm, {name: value for name, value in state.items() if name.endswith((".A", ".B"))})
    pool, target = (_gradients(study, role, vlm, index)
                    for role, index in (("pool", rows), ("target", np.asarray(scores.sample_index))))
    cosine = pool @ target.T  # [n, S]
    of = np.asarray(scores.sample_unit)
    return np.stack([cosine[:, of == m].mean(1) for m in range(len(scores.units))], 1)


def _gradients(study: Study, role: str, vlm: "Vlm", index: np.ndarray) -> np.ndarray:
    """float32 [len(index), P]: unit-norm gradient of each sample, one backward each."""
    import torch

    from cadc.data.indices import FeedRow
    from cadc.models import answer_losses, lora_parameters, prefix
    from cadc.models.feed import Feed

    feed, parameters = Feed(study, role, vlm), lora_parameters(vlm)
    row_of = {sample.index: FeedRow(row) for row, sample in enumerate(feed.samples)}
    out = []
    for position in index:
        loss = answer_losses(vlm, prefix(vlm, vlm.collate([feed.encode(row_of[int(position)])])))
        flat = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss.sum(), parameters)])
        out.append((flat / flat.norm().clamp_min(1e-12)).float().cpu().numpy())
    return np.stack(out)
