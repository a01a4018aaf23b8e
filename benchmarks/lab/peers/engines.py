"""The engines of the gradient benchmark, each through its own public parts, on one model and the same batches.

All but LESS share one forward: frozen part without a graph, logits at answer positions only (`cadc.models.prefix`,
`answer_losses`), so that what differs is how per-sample gradients are got. Peers get their cheapest configuration:
gradients alone, neither projected nor preconditioned nor scored, nor written anywhere, where ours also computes Adam
features, norms and the products with all target vectors. Shape letters: B samples, P LoRA parameters, T checkpoints.
"""

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch

from benchmarks.lab.peers.models import Load, adapters
from benchmarks.lab.peers.projection import projector
from cadc.errors import DataError
from cadc.models import Batch, Vlm, answer_losses, lora_parameters, prefix, switch

DIMENSIONS, INTERVAL = 8192, 16
"""LESS's projection: its dimension, and how many samples share one drawing of the matrix."""


class Engine(Protocol):
    """One way to get per-sample gradients."""

    def run(self, batch: Batch) -> None:
        """The work on a batch, at all T checkpoints; results stay in memory and are dropped."""

    def gradients(self, batch: Batch) -> torch.Tensor:
        """[B, P]: gradients at the first checkpoint, in the order of the LoRA layout. For the tests."""


class _Passes:
    """An engine that walks the data once per checkpoint."""

    def __init__(self, load: Load, vlm: Vlm) -> None:
        self.vlm, self.flats = vlm, adapters(vlm, load.checkpoints, load.seed)

    def run(self, batch: Batch) -> None:
        for flat in self.flats:
            switch(self.vlm, flat)
            self._pass(batch)

    def gradients(self, batch: Batch) -> torch.Tensor:
        switch(self.vlm, self.flats[0])
        return self._pass(batch)

    def _pass(self, batch: Batch) -> Any:
        raise NotImplementedError


class Plain(_Passes):
    """The floor: forward and backward of ordinary batched LoRA training, without an optimiser step. No per-sample
    gradient comes out: `gradients` is the batch's mean gradient [P]."""

    def _pass(self, batch: Batch) -> torch.Tensor:
        parameters = lora_parameters(self.vlm)
        for parameter in parameters:
            parameter.grad = None
        answer_losses(self.vlm, prefix(self.vlm, batch)).mean().backward()
        return torch.cat([p.grad.reshape(-1) for p in parameters])


class Ours:
    """The pool pass itself (`cadc.gradients.attribute.Scoring`): Adam features, norms, R target vectors, near."""

    def __init__(self, load: Load, vlm: Vlm) -> None:
        from cadc.gradients.attribute import Scoring, TargetVectors
        from cadc.gradients.checkpoints import Checkpoints
        from cadc.gradients.features import feature
        from cadc.training.loop import BETAS, EPSILON

        checkpoints = Checkpoints(vlm, torch.ones(load.checkpoints, dtype=torch.float64))
        vectors = TargetVectors(vlm, torch.arange(load.units).repeat_interleave(load.singles), load.units)
        generator = torch.Generator().manual_seed(load.seed)
        for flat in adapters(vlm, load.checkpoints, load.seed):
            second = torch.empty(vlm.layout.size).uniform_(1e-8, 1e-4, generator=generator)
            checkpoints.add(flat, torch.zeros_like(second), second, 100)
            rows = torch.empty(load.vectors, vlm.layout.size).uniform_(-1, 1, generator=generator)
            vectors.add(feature("adam", checkpoints.first[-1], checkpoints.second[-1], 100, BETAS, EPSILON), rows)
            del rows
        self.scoring = Scoring(vlm, checkpoints, vectors, 5)

    def run(self, batch: Batch) -> None:
        self.scoring.run(batch)

    def gradients(self, batch: Batch) -> torch.Tensor:
        from cadc.gradients.capture import gradient_matrix

        vlm, checkpoints = self.scoring.vlm, self.scoring.checkpoints
        checkpoints.switch(0)
        given = prefix(vlm, batch)
        return gradient_matrix(vlm, checkpoints.capture, lambda: answer_losses(vlm, given))[1]


class Less(_Passes):
    """LESS's loop (princeton-nlp/LESS, `collect_grad_reps.py`): one sample at a time through the model's own forward
    and loss, autograd on the LoRA weights, the Adam feature, and a random projection of every 16 of them to 8192
    dimensions. A round of fewer than 16 samples projects to its share of the dimensions, which costs its share of the
    time. The projector is trak's `BasicProjector`, which LESS falls back to without trak's CUDA kernel."""

    def __init__(self, load: Load, vlm: Vlm) -> None:
        super().__init__(load, vlm)
        self._first = torch.zeros(vlm.layout.size, device=vlm.device)
        self._second = torch.full((vlm.layout.size,), 1e-6, device=vlm.device)
        rows = min(load.batch, INTERVAL)
        self._projector = projector(vlm.layout.size, DIMENSIONS * rows // INTERVAL, load.seed, vlm.device)

    def _pass(self, batch: Batch) -> torch.Tensor:
        found = []
        for start in range(0, len(batch), INTERVAL):
            rows = [self._gradient(batch, i) for i in range(start, min(start + INTERVAL, len(batch)))]
            found += rows
            features = [self._feature(row) for row in rows]
            shared = torch.stack((features * -(-INTERVAL // len(features)))[:INTERVAL])
            self._projector.project(shared, 0)
        return torch.stack(found)

    def _gradient(self, batch: Batch, row: int) -> torch.Tensor:
        parameters = lora_parameters(self.vlm)
        for parameter in parameters:
            parameter.grad = None
        length = int(batch.inputs["attention_mask"][row].sum())
        inputs = {key: value[row:row + 1] for key, value in batch.inputs.items()}
        inputs |= {key: inputs[key][:, :length] for key in ("input_ids", "attention_mask")}
        labels = inputs["input_ids"].masked_fill(~batch.answer[row:row + 1, :length], -100)
        self.vlm.model(**inputs, labels=labels, use_cache=False).loss.backward()
        return torch.cat([p.grad.reshape(-1) for p in parameters]).float()

    def _feature(self, gradient: torch.Tensor) -> torch.Tensor:
        """LESS's `obtain_gradients_with_adam`, as it is."""
        first = 0.9 * self._first + 0.1 * gradient
        second = 0.999 * self._second + 0.001 * gradient**2
        return first / torch.sqrt(second + 1e-8)


def _names(vlm: Vlm) -> list[str]:
    """The linears of all LoRA pairs, A before B, as peers know them."""
    from cadc.models.lora import ADAPTER

    return [f"{name}.{letter}.{ADAPTER}" for name in vlm.layout.names for letter in ("lora_A", "lora_B")]


class Bergson(_Passes):
    """bergson's `GradientCollector` on the LoRA linears, as its own `CollectorComputer` drives it. The weights are
    frozen and the embeddings ask for the gradient, as in its set-up, so that no summed weight gradient is computed."""

    def __init__(self, load: Load, vlm: Vlm) -> None:
        from bergson.collector.gradient_collectors import GradientCollector
        from bergson.config import IndexConfig
        from bergson.gradients import GradientProcessor
        from datasets import Dataset

        super().__init__(load, vlm)
        self._names = _names(vlm)
        self._collector = GradientCollector(
            model=vlm.model, data=Dataset.from_dict({"row": list(range(load.batch))}), processor=GradientProcessor(),
            cfg=IndexConfig(run_path="unused"), target_modules=set(self._names), skip_index=True)
        vlm.model.requires_grad_(False)  # only now: the collector reads its number type off trainable weights

    def _pass(self, batch: Batch) -> torch.Tensor:
        given = prefix(self.vlm, batch)
        start = given.kwargs["inputs_embeds"] if given.hidden is None else given.hidden
        start.requires_grad_(True)
        with self._collector.with_batch(batch.inputs["attention_mask"].bool()):
            answer_losses(self.vlm, given).sum().backward()
        found = torch.cat([self._collector.mod_grads[name] for name in self._names], dim=1)
        self._collector.mod_grads.clear()
        return found


class Dattri(_Passes):
    """dattri's `HookManager`, the one its LoGra attributor uses, on the LoRA linears with identity in place of both
    projections. `torch.compile` of its compressor is off where the process says so (`TORCHDYNAMO_DISABLE`)."""

    def __init__(self, load: Load, vlm: Vlm) -> None:
        super().__init__(load, vlm)
        self._manager: Any = None

    def _pass(self, batch: Batch) -> torch.Tensor:
        manager = self._manager = self._manager or self._hooked(batch)
        manager.enable_hooks()
        given = prefix(self.vlm, batch)
        answer_losses(self.vlm, given).mean().backward()  # its hooks multiply by B: they expect a mean
        return torch.cat([g.flatten(1) for g in manager.get_compressed_grads()], dim=1)

    def _hooked(self, batch: Batch) -> Any:
        from dattri.algorithm.block_projected_if.core.compressor import setup_model_compressors
        from dattri.algorithm.block_projected_if.core.hook import HookManager

        names = _names(self.vlm)
        none = {"device": self.vlm.device, "proj_dim": -1, "proj_max_batch_size": 64, "proj_type": "identity"}
        one = {key: value[:1] for key, value in batch.inputs.items()}
        compressors = setup_model_compressors(self.vlm.model, names, sparsifier_kwargs=dict(none),
                                              projector_kwargs=dict(none), sample_inputs=one, device=self.vlm.device)
        manager = HookManager(self.vlm.model, names, device=self.vlm.device)
        manager.set_compressors(compressors)
        return manager


ENGINES: dict[str, Callable[[Load, Vlm], Engine]] = {
    "plain": Plain, "ours": Ours, "ours-last-k": Ours, "less": Less, "bergson": Bergson, "dattri": Dattri}
NEEDS = {"less": ("trak",), "bergson": ("bergson", "datasets"), "dattri": ("dattri",)}
"""Modules of other projects that an engine is made of."""
INSTALL = "pip install --no-deps -r requirements-peers.txt"


def check_installed(engines: Sequence[str]) -> None:
    """Raises DataError that names what is missing for these engines and the command that installs it."""
    missing = {module: engine for engine in engines for module in NEEDS.get(engine, ())
               if importlib.util.find_spec(module) is None}
    if missing:
        without = ",".join(engine for engine in engines if engine not in missing.values())
        named = ", ".join(f"{module} (engine {engine})" for module, engine in missing.items())
        raise DataError(f"not installed: {named}. Run `{INSTALL}`"
                        + (f", or measure without: --engines {without}." if without else "."))
