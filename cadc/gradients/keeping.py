"""What the target job keeps of the target gradients, in either mode, and what it knows of the error of sketches.

Shape letters: T checkpoints, S single target samples, M units, R target vectors, P LoRA parameters, d sketch numbers,
A audited pool rows.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cadc.arrays import spearman
from cadc.data.indices import FeedRow
from cadc.errors import ModelError
from cadc.gradients import modes, products
from cadc.gradients.capture import gradient_matrix
from cadc.gradients.collected import Collected, Left, View, in_full
from cadc.gradients.features import Feature, Weighted, feature
from cadc.gradients.modes import Mode
from cadc.gradients.sketch import PRODUCTS, Sketch, balances, principal
from cadc.gradients.vectors import Exact, Sketched, Vectors, accumulating, stored
from cadc.models.batching import Item, run_batches
from cadc.training.loop import BETAS, EPSILON

if TYPE_CHECKING:
    from cadc.gradients.checkpoints import Checkpoints
    from cadc.gradients.choice import Choice
    from cadc.models.feed import Feed
    from cadc.models.forward import Prefix
    from cadc.models.vlm import Vlm
    from cadc.study import Study

log = logging.getLogger(__name__)

ANCHORS, PILOT = 32, 4
"""At most this many full directions are kept beside the sketches; so many target samples for each are looked at."""
AUDIT_Q = 5
"""near(z, s) of the audit is the mean of so many largest values, whatever q the study asks later jobs for."""
AUDIT, AUDIT_LEAST = 256, 32
"""Pool rows that exact products are computed for as well, and how few are not worth it."""
SIDE_SHARE = 0.1
"""Share of the free memory that each of anchors, audited rows and full unit sums may take in `sketch` mode."""
_PILOT, _AUDIT, _PLAIN = 33, 34, 35  # streams of the study's seed


class GradientModel:
    """A study's model with its checkpoints: what gradients come from."""

    def __init__(self, study: "Study", vlm: "Vlm", checkpoints: "Checkpoints") -> None:
        self.study, self.vlm, self.checkpoints = study, vlm, checkpoints
        self.kind = accumulating(vlm)

    def feature(self, t: int) -> Feature:
        """Γ at checkpoint t."""
        c = self.checkpoints
        return feature(self.study.config.features, c.first[t], c.second[t], c.updates[t], BETAS, EPSILON)

    def balanced_weight(self, t: int) -> torch.Tensor:
        """w [P] of Γ = w ⊙ g at checkpoint t (METHOD §2, §4). Raises ModelError where Γ is not linear in g (`less`)."""
        made = self.feature(t)
        if not isinstance(made, Weighted):
            raise ModelError("features=less has no balanced form: set whitened=false, or features=adam.")
        return made.weight

    def gradients(self, given: "Prefix") -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Losses [B] and gradients [B, P] at every checkpoint, of what `prefix` made."""
        from cadc.models import answer_losses

        found = []
        for t in range(len(self.checkpoints)):
            self.checkpoints.switch(t)
            found.append(gradient_matrix(self.vlm, self.checkpoints.capture, lambda: answer_losses(self.vlm, given)))
        return found

    def all_gradients(self, feed: "Feed", rows: Sequence[FeedRow]) -> torch.Tensor:
        """[T, n, P] of those rows that can be encoded and whose gradients are finite."""
        from cadc.models import prefix

        def run(items: Sequence[Item]) -> torch.Tensor:
            found = self.gradients(prefix(self.vlm, self.vlm.collate([encoded for _, encoded in items])))
            made = torch.stack([matrix.to(self.kind) for _, matrix in found])
            fine = torch.isfinite(torch.linalg.vector_norm(made, dim=2)).all(0)
            return made if bool(fine.all()) else made[:, fine]

        parts = [found for _, found in run_batches(feed, feed.by_length(rows), run, {})]
        return torch.cat(parts, 1) if parts else torch.zeros(len(self.checkpoints), 0, self.vlm.layout.size)

    def sketch(self, dim: int, *, targets: bool) -> Sketch:
        """The projection of products, for the target side (g ⊘ c) or the pool side (c ⊙ Γ); decision 0011."""
        c = self.checkpoints
        scales = balances(self.study.config.features, c.second, c.updates, BETAS[1], EPSILON)
        if scales is not None and targets:
            scales = [1 / scale for scale in scales]
        return Sketch(self.vlm.layout.matrices, dim, (self.study.config.seed, PRODUCTS), len(c), scales=scales,
                      device=self.vlm.device, kind=self.kind)

    def vectors(self, done: dict[str, Any]) -> Vectors:
        """How the vectors of a finished target pass are multiplied with; they are still to be appended."""
        from safetensors import safe_open

        if done["products"]["mode"] == "exact":
            return Exact(self.vlm)
        sketch, anchors = self.sketch(done["products"]["dim"], targets=False), []
        for t in range(len(self.checkpoints)):
            with safe_open(self.study.targets_folder / f"vectors-{t + 1}.safetensors", "pt") as handle:
                if "anchors" in handle.keys():
                    anchors.append(handle.get_tensor("anchors"))
        return Sketched(sketch.anchor(anchors) if anchors else sketch, self.vlm.device)


class ExactKeeping:
    """Every vector at full size."""

    def __init__(self, engine: GradientModel, mode: Mode, choice: "Choice") -> None:
        self._mode = mode
        self.main = Collected(in_full, shape(engine, choice, engine.vlm.layout.size), engine.study.config.grounded,
                              engine.kind, stored(engine.vlm))
        self.every = [self.main]
        self._stored = stored(engine.vlm)

    def finish(self, left: Left) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], dict[str, Any]]:
        """Vectors to write, vectors to make Gram matrices of, facts."""
        found = self.main.vectors(left)
        facts = asdict(self._mode) | {"gram": {"sample": "exact", "unit": "exact"}}
        return {key: value.to(self._stored) for key, value in found.items()}, found, facts


class SketchKeeping:
    """Sketches; beside them what fits of the rest: full sums of units, exact products of a few pool rows."""

    def __init__(self, engine: GradientModel, mode: Mode, choice: "Choice", feeds: "tuple[Feed, Feed]", free: int
                 ) -> None:
        """feeds: target and pool; free: bytes that anchors, audit and full sums may be measured by."""
        self._engine, self._mode = engine, mode
        self._full = len(engine.checkpoints) * engine.vlm.layout.size * engine.kind.itemsize
        """Bytes of one vector at every checkpoint."""
        self._room = int(SIDE_SHARE * free)
        config, dim = engine.study.config, mode.dim
        sketch = engine.sketch(dim, targets=True)
        self.anchors = self._directions(choice, feeds[0])
        if self.anchors:
            sketch.anchor(self.anchors)
        self.main = self._collect(sketch.whole, choice, dim)
        self._plain = self.main
        """What Gram matrices are made of: sketches without balancing."""
        if config.features != "sgd":
            plain = Sketch(engine.vlm.layout.matrices, dim, (config.seed, _PLAIN), len(engine.checkpoints),
                           device=engine.vlm.device, kind=engine.kind)
            self._plain = self._collect(plain.whole, choice, dim)
        units = len(choice.units) * (3 if config.grounded else 1)  # sums, swapped sums, their difference
        self._units = self._collect(in_full, choice, engine.vlm.layout.size, samples=False) \
            if units * self._full <= self._room else None
        self._exact, self._note = self._audit(choice, feeds[1])
        every = (self.main, self._plain, self._units, self._exact)
        self.every = list({id(c): c for c in every if c is not None}.values())

    def _collect(self, view: View, choice: "Choice", width: int, samples: bool = True) -> Collected:
        steps, singles, units, _ = shape(self._engine, choice, width)
        return Collected(view, (steps, singles if samples else 0, units, width), self._engine.study.config.grounded,
                         self._engine.kind)

    def _directions(self, choice: "Choice", feed: "Feed") -> list[torch.Tensor]:
        """Anchors [k, P] of every checkpoint: the main directions of a few target samples' gradients."""
        singles = [row for rows in choice.singles for row in rows]
        fit = self._room // self._full
        count = min(ANCHORS, self._mode.dim // 4, fit // (2 * PILOT) if fit < 2 * PILOT * ANCHORS else ANCHORS)
        pilot = _draw(self._engine.study.config.seed, _PILOT, singles, PILOT * count)
        if not pilot:
            return []
        found = []
        c = self._engine.checkpoints
        scales = balances(self._engine.study.config.features, c.second, c.updates, BETAS[1], EPSILON)
        for t, rows in enumerate(self._engine.all_gradients(feed, pilot)):
            rows = rows / rows.norm(dim=1, keepdim=True).clamp_min(1e-30)
            found.append(principal(rows if scales is None else rows / scales[t], count))
        least = min((len(rows) for rows in found), default=0)
        return [rows[len(rows) - least:].contiguous() for rows in found] if least else []

    def _audit(self, choice: "Choice", pool: "Feed") -> tuple[Collected | None, str]:
        """Γ/‖Γ‖ of a few pool rows, ready for every target gradient that comes by."""
        count = min(AUDIT, len(pool), self._room // self._full)
        if count < min(AUDIT_LEAST, len(pool)):
            return None, f"{count} pool rows at full size fit into memory"
        rows = _draw(self._engine.study.config.seed, _AUDIT, [FeedRow(row) for row in range(len(pool))], count)
        features = []
        for t, gradients in enumerate(self._engine.all_gradients(pool, rows)):
            made = self._engine.feature(t).apply(gradients, 0, gradients.shape[1])
            fine = torch.isfinite(made.square)
            features.append(torch.where(fine[:, None], made.feature / made.square.sqrt().clamp_min(1e-30)[:, None], 0))
        if not len(features[0]):
            return None, "none of the drawn pool rows can be encoded"
        self._features = features
        view = lambda t, gradients: gradients.to(features[t].dtype) @ features[t].t()  # noqa: E731
        return self._collect(view, choice, len(features[0])), ""

    def finish(self, left: Left) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], dict[str, Any]]:
        """As in `ExactKeeping.finish`."""
        found = self.main.vectors(left)
        grams = dict(self._plain.vectors(left))
        if self._units is not None:
            grams |= {key: value for key, value in self._units.vectors(left).items() if key != "sample"}
        facts = asdict(self._mode) | {
            "anchors": len(self.anchors[0]) if self.anchors else 0,
            "gram": {"sample": "sketch", "unit": "sketch" if self._units is None else "exact"}}
        facts["agreement"] = ({"note": self._note} if self._exact is None
                              else self._agreement(found, self._exact.vectors(left), left.sample_unit))
        if self.anchors:
            found = found | {"anchors": torch.stack(self.anchors).cpu()}
        log.info("products: %s", modes.sentence(facts))
        return found, grams, facts

    def _agreement(self, sketched: dict[str, torch.Tensor], exact: dict[str, torch.Tensor], sample_unit: torch.Tensor
                   ) -> dict[str, Any]:
        """Spearman correlation over the audited rows between sketched and exact scores, unit by unit."""
        side = self._engine.sketch(self._mode.dim, targets=False)
        if self.anchors:
            side.anchor(self.anchors)
        mine = [side.whole(t, rows).cpu() for t, rows in enumerate(self._features)]  # [A, d]
        guess = {key: torch.stack([a @ value[t].t() for t, a in enumerate(mine)]) for key, value in sketched.items()}
        truth = {key: value.transpose(1, 2) for key, value in exact.items()}  # [T, A, ·]
        return {"rows": len(mine[0])} | compare(self._engine, guess, truth, sample_unit)


def compare(engine: GradientModel, guess: dict[str, torch.Tensor], truth: dict[str, torch.Tensor],
            sample_unit: torch.Tensor) -> dict[str, Any]:
    """Per signal `{mean, min, units}` of Spearman correlations over rows [A]; arrays `sample` [T, A, S], `unit` and
    `grounded` [T, A, M] are cosines with target vectors. `dots`, `grounded`: η-weighted over checkpoints."""
    weights = (engine.checkpoints.eta / engine.checkpoints.eta.sum()).to(engine.kind)
    table = products.members(sample_unit, truth["unit"].shape[2])
    found = {}
    for name, key in (("near", "sample"), ("dots", "unit"), ("grounded", "grounded")):
        if key in truth:
            pair = [torch.einsum("t,tar->ar", weights, value[key].cpu()) for value in (guess, truth)]
            if name == "near":
                pair = [products.near(value, table, AUDIT_Q)[0] for value in pair]
            rho = spearman(*(value.double().numpy() for value in pair))
            found[name] = {"mean": round(float(rho.mean()), 4), "min": round(float(rho.min()), 4),
                           "units": [round(float(r), 4) for r in rho]}
    return found


def shape(engine: GradientModel, choice: "Choice", width: int) -> tuple[int, int, int, int]:
    """T, S, M, W of `Collected`."""
    return len(engine.checkpoints), sum(map(len, choice.singles)), len(choice.units), width


def _draw(seed: int, stream: int, rows: Sequence[FeedRow], count: int) -> list[FeedRow]:
    return sorted(np.random.default_rng([seed, stream]).permutation(rows)[:count].tolist())
