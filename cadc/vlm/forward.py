"""The model's own forward, cut in two at the lowest adapted layer (DESIGN.md, "One pass, all checkpoints").

`prefix` runs everything that no adapter can change, once and without a graph; `answer_losses` runs the rest for the
adapter that is switched in now. No architecture is rewritten: the model's forward is stopped where the language model
begins and called again there. Shape letters: B samples, L tokens, W hidden width.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from cadc.errors import ModelError
from cadc.vlm.encode import Batch
from cadc.vlm.load import Vlm
from cadc.vlm.precision import arithmetic


class _Reached(Exception):
    """Thrown out of the model's forward at the cut."""


@dataclass(frozen=True)
class Prefix:
    """All that the rest of the forward needs."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    """What the language model was called with."""
    hidden: torch.Tensor | None
    """[B, L, W] at the first adapted layer; None when the cut is the language model itself."""
    first_layer: int
    tuples: bool
    """Whether decoder layers of this family return tuples."""
    rows: torch.Tensor
    """int64 [answer tokens]: sample of each answer token."""
    columns: torch.Tensor
    """int64 [answer tokens]: position whose hidden state predicts it (one before its own)."""
    labels: torch.Tensor
    """int64 [answer tokens]."""
    tokens: torch.Tensor
    """int64 [B]: answer tokens of each sample."""


def prefix(vlm: Vlm, batch: Batch) -> Prefix:
    """Everything below the lowest adapted layer, once, without a graph: the same for every checkpoint."""
    first = vlm.lora.first_layer if vlm.lora else 0
    caught: dict[str, Any] = {"hidden": None, "tuples": False}

    def at_decoder(module: nn.Module, args: tuple, kwargs: dict) -> None:
        caught.update(args=args, kwargs=kwargs)
        if first == 0:
            raise _Reached

    def at_layer(module: nn.Module, args: tuple, kwargs: dict) -> None:
        caught["hidden"] = args[0] if args else kwargs["hidden_states"]
        raise _Reached

    def below(module: nn.Module, args: tuple, output: Any) -> None:
        caught["tuples"] = isinstance(output, tuple)

    hooks = [vlm.decoder.register_forward_pre_hook(at_decoder, with_kwargs=True)]
    if first:
        hooks.append(vlm.layers[first].register_forward_pre_hook(at_layer, with_kwargs=True))
        hooks.append(vlm.layers[0].register_forward_hook(below))
    try:
        with torch.no_grad(), arithmetic(vlm):
            vlm.model(**batch.inputs, use_cache=False)
        raise ModelError(f"{type(vlm.model).__name__} never called its language model. This family is not supported.")
    except _Reached:
        pass
    finally:
        for hook in hooks:
            hook.remove()
    rows, columns = batch.answer[:, 1:].nonzero(as_tuple=True)
    return Prefix(caught["args"], caught["kwargs"], caught["hidden"], first, caught["tuples"], rows, columns,
                  batch.inputs["input_ids"][rows, columns + 1], batch.answer[:, 1:].sum(1))


def answer_losses(vlm: Vlm, given: Prefix) -> torch.Tensor:
    """float [B]: mean cross-entropy over the answer tokens of each sample (METHOD §2), with a graph when gradients
    are on.

    Logits are computed at answer positions only, in float32 (float64 for a float64 model).
    """
    logits = answer_logits(vlm, given)
    each = F.cross_entropy(logits, given.labels, reduction="none")
    return torch.zeros_like(given.tokens, dtype=each.dtype).index_add(0, given.rows, each) / given.tokens


def answer_logits(vlm: Vlm, given: Prefix) -> torch.Tensor:
    """float [answer tokens, vocabulary] for the adapter that is switched in."""
    with _resumed(vlm, given), arithmetic(vlm):
        output = vlm.decoder(*given.args, **given.kwargs)
        logits = vlm.head(output[0][given.rows, given.columns])
    logits = logits if logits.dtype == torch.float64 else logits.float()
    return _finish(vlm.text_config, logits)


def _finish(config: Any, logits: torch.Tensor) -> torch.Tensor:
    """What some families do to logits after the head (Gemma, Cohere, Granite); `verify` guards the list."""
    if getattr(config, "logits_scaling", None):
        logits = logits / config.logits_scaling
    if getattr(config, "logit_scale", None):
        logits = logits * config.logit_scale
    if cap := getattr(config, "final_logit_softcapping", None):
        logits = torch.tanh(logits / cap) * cap
    return logits


@contextmanager
def _resumed(vlm: Vlm, given: Prefix) -> Iterator[None]:
    """For a cut inside the language model: layers below it pass through, the first adapted layer gets the kept
    states."""
    if given.first_layer == 0:
        yield
        return

    def enter(module: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        if args:
            return (given.hidden, *args[1:]), kwargs
        return args, kwargs | {"hidden_states": given.hidden}

    hook = vlm.layers[given.first_layer].register_forward_pre_hook(enter, with_kwargs=True)
    skipped = list(vlm.layers[: given.first_layer])
    for layer in skipped:
        layer.forward = _through(given.tuples)
    try:
        yield
    finally:
        hook.remove()
        for layer in skipped:
            del layer.forward


def _through(tuples: bool) -> Callable[..., Any]:
    def forward(hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        return (hidden_states,) if tuples else hidden_states

    return forward


def verify(vlm: Vlm, batch: Batch) -> float:
    """Largest difference between `answer_logits` and the model's own uncut forward, relative to the largest logit.

    Raises ModelError above 1e-3 (float32; 0.05 in half precision): then this family does something after its head that
    is not known here, and its gradients would be wrong. Raises it too when an answer sees the tokens that follow it.
    """
    limit = 1e-3 if vlm.dtype in (torch.float32, torch.float64) else 0.05
    with torch.no_grad(), arithmetic(vlm):
        given = prefix(vlm, batch)
        ours = answer_logits(vlm, given)
        own, after = (vlm.model(**inputs, use_cache=False).logits[given.rows, given.columns].to(ours.dtype)
                      for inputs in (batch.inputs, _other_ending(batch)))
    scale = own.abs().max().clamp_min(1e-6)
    if not float((after - own).abs().max() / scale) <= limit:
        raise ModelError(f"{type(vlm.model).__name__} lets an answer see the tokens that follow it, so that its loss "
                         "means nothing. This family is not supported.")
    error = float((ours - own).abs().max() / scale)
    if not error <= limit:
        raise ModelError(f"{type(vlm.model).__name__}: the cut forward differs from the model's own by {error:.2g}. "
                         "This family is not supported.")
    return error


def _other_ending(batch: Batch) -> dict[str, torch.Tensor]:
    """The inputs with another token in place of each sample's last answer token."""
    places = torch.arange(batch.answer.shape[1], device=batch.answer.device)
    last = (batch.answer * places).argmax(1, keepdim=True)
    ids = batch.inputs["input_ids"]
    old = ids.gather(1, last)
    return batch.inputs | {"input_ids": ids.scatter(1, last, torch.where(old > 0, old - 1, old + 1))}
