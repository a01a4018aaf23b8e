"""The model's own forward, cut in two at the lowest adapted layer: one pass, all checkpoints (METHOD §4).

`prefix` runs everything that no adapter can change, once and without a graph; `answer_losses` runs the rest for the
adapter that is switched in now. No architecture is rewritten: the model's forward is stopped where the language model
begins and called again there. With adapters on connector or vision tower all of it runs for each adapter, but for the
tower below an adapted connector: its blocks pass through, and the connector gets what it was called with the first
time. Shape letters: B samples, L tokens, W hidden width.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn
from torch.nn import functional as F

from cadc.errors import ModelError
from cadc.models.encode import Batch
from cadc.models.narrow import Places, narrowed, separable
from cadc.models.outer import Reached, by_sample, hooks, run_below
from cadc.models.precision import arithmetic
from cadc.models.refusal import unsupported
from cadc.models.vlm import Vlm

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


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
    inputs: dict[str, torch.Tensor] | None = None
    """What the whole model is called with, when adapters lie outside its language model; else None."""
    units: tuple[int, ...] = ()
    """`Batch.units`, for these."""
    entries: dict[str, torch.Tensor] = field(default_factory=dict)
    """What the lowest adapted linears are called with, by name, when the vision tower lies below them."""

    @cached_property
    def places(self) -> Places | None:
        """Of the answers, as `narrow` takes them."""
        return Places.of(self.rows, self.columns, len(self.tokens))


def prefix(vlm: Vlm, batch: Batch, *, whole: bool = False) -> Prefix:
    """Everything below the lowest adapted layer, once, without a graph: the same for every checkpoint.

    whole: also the positions behind the last one that predicts an answer token, which nothing sees.
    """
    rows, columns = batch.answer[:, 1:].nonzero(as_tuple=True)
    answers = (rows, columns, batch.inputs["input_ids"][rows, columns + 1], batch.answer[:, 1:].sum(1))
    batch = batch if whole else _without_end(vlm, batch, int(columns.max()) + 1)
    if vlm.outer.names:
        entries, tuples = _below_outer(vlm, batch)
        return Prefix((), {}, None, 0, tuples, *answers, batch.inputs, batch.units, entries)
    first = vlm.lora.first_layer if vlm.lora else 0
    caught: dict[str, Any] = {"hidden": None, "tuples": False}

    def at_decoder(module: nn.Module, args: tuple, kwargs: dict) -> None:
        caught.update(args=args, kwargs=kwargs)
        if first == 0:
            raise Reached

    def at_layer(module: nn.Module, args: tuple, kwargs: dict) -> None:
        caught["hidden"] = args[0] if args else kwargs["hidden_states"]
        raise Reached

    def below(module: nn.Module, args: tuple, output: Any) -> None:
        caught["tuples"] = isinstance(output, tuple)

    handles = [vlm.decoder.register_forward_pre_hook(at_decoder, with_kwargs=True)]
    if first:
        handles.append(vlm.layers[first].register_forward_pre_hook(at_layer, with_kwargs=True))
        handles.append(vlm.layers[0].register_forward_hook(below))
    try:
        with hooks(handles), torch.no_grad(), arithmetic(vlm):
            vlm.model(**batch.inputs, use_cache=False)
        raise unsupported(f"{type(vlm.model).__name__} never called its language model")
    except Reached:
        pass
    return Prefix(caught["args"], caught["kwargs"], caught["hidden"], first, caught["tuples"], *answers)


def _without_end(vlm: Vlm, batch: Batch, end: int) -> Batch:
    """The first `end` positions, or all where a place of a picture lies behind them: it would be missed."""
    names = ("image_token_id", "image_token_index", "video_token_id", "video_token_index")
    places = [vlm.encoder.picture_id, *(getattr(vlm.model.config, name, None) for name in names)]
    behind = batch.inputs["input_ids"][:, end:]
    stand = behind.new_tensor([place for place in places if isinstance(place, int)])
    return batch if bool(torch.isin(behind, stand).any()) else batch.until(end)


def _below_outer(vlm: Vlm, batch: Batch) -> tuple[dict[str, torch.Tensor], bool]:
    """`Prefix.entries`, and whether the tower's blocks return tuples."""
    outer = vlm.outer
    entries: dict[str, torch.Tensor] = {}
    tuples = [False]

    def keep(name: str) -> Callable[..., None]:
        return lambda module, args: entries.update({name: args[0]})

    def below(module: nn.Module, args: tuple, output: Any) -> None:
        tuples[0] = isinstance(output, tuple)

    if outer.entries and any(batch.units):
        handles = [vlm.model.get_submodule(name).register_forward_pre_hook(keep(name)) for name in outer.entries]
        handles.append(vlm.model.get_submodule(outer.blocks[0]).register_forward_hook(below))
        with torch.no_grad(), arithmetic(vlm):
            run_below(vlm, batch.inputs, handles)
    return entries, tuples[0]


def answer_losses(vlm: Vlm, given: Prefix, hidden: torch.Tensor | None = None) -> torch.Tensor:
    """float [B]: mean cross-entropy over the answer tokens of each sample (METHOD §2), with a graph when gradients
    are on.

    Logits are computed at answer positions only, in float32 (float64 for a float64 model). hidden: what `last_states`
    gave for the adapter that is switched in, where somebody has it already.
    """
    logits = answer_logits(vlm, given, hidden)
    each = F.cross_entropy(logits, given.labels, reduction="none")
    losses = torch.zeros_like(given.tokens, dtype=each.dtype).index_add(0, given.rows, each) / given.tokens
    if given.inputs is not None and not any(given.units) and torch.is_grad_enabled():
        losses = losses + 0 * _untouched(vlm, len(losses))
    return losses


def _untouched(vlm: Vlm, count: int) -> torch.Tensor:
    """[B]: adapters on connector and tower called with zeros, for a batch of words only: so their gradients are zeros,
    as they would be beside samples with pictures, and not missing."""
    total = torch.zeros(count, dtype=vlm.dtype, device=vlm.device)
    for name in vlm.outer.names:
        module = vlm.model.get_submodule(name)
        total = total + module(total.new_zeros(count, 1, cast(int, module.in_features))).sum((1, 2))
    return total


def answer_logits(vlm: Vlm, given: Prefix, hidden: torch.Tensor | None = None) -> torch.Tensor:
    """float [answer tokens, vocabulary] for the adapter that is switched in."""
    with arithmetic(vlm):
        states = answer_states(vlm, given) if hidden is None else hidden[given.rows, given.columns]
        logits = vlm.head(states)
    logits = logits if logits.dtype == torch.float64 else logits.float()
    return _finish(vlm.text_config, logits)


def _finish(config: "PreTrainedConfig", logits: torch.Tensor) -> torch.Tensor:
    """What some families do to logits after the head (Gemma, Cohere, Granite); `verify` guards the list."""
    if getattr(config, "logits_scaling", None):
        logits = logits / config.logits_scaling
    if getattr(config, "logit_scale", None):
        logits = logits * config.logit_scale
    if cap := getattr(config, "final_logit_softcapping", None):
        logits = torch.tanh(logits / cap) * cap
    return logits


def answer_states(vlm: Vlm, given: Prefix) -> torch.Tensor:
    """[answer tokens, W]: hidden states that predict answer tokens, for the adapter that is switched in."""
    places = given.places
    if places is None or not separable(vlm.layers):
        return last_states(vlm, given)[given.rows, given.columns]
    with narrowed(vlm, places):
        return last_states(vlm, given)[given.rows, places.order]


def last_states(vlm: Vlm, given: Prefix) -> torch.Tensor:
    """[B, L, W]: what the language model hands to its head, for the adapter that is switched in."""
    if given.inputs is None:
        with arithmetic(vlm), _resumed(vlm, given):
            return vlm.decoder(*given.args, **given.kwargs)[0]
    last: list[torch.Tensor] = []

    def stop(module: nn.Module, args: tuple, output: Any) -> None:
        last.append(output[0])
        raise Reached

    with arithmetic(vlm), _replayed(vlm, given), hooks([vlm.decoder.register_forward_hook(stop)]):
        try:
            vlm.model(**given.inputs, use_cache=False)
        except Reached:
            return last[0]
    raise unsupported(f"{type(vlm.model).__name__} never called its language model")


@contextmanager
def _replayed(vlm: Vlm, given: Prefix) -> Iterator[None]:
    """For adapters outside the language model: blocks of the tower below them pass through, the lowest adapted linears
    get what was kept, and all of them see their rows by sample."""
    with ExitStack() as stack:
        if given.entries:
            blocks = [vlm.model.get_submodule(name) for name in vlm.outer.blocks]
            stack.enter_context(_passed(blocks, given.tuples))
            stack.enter_context(hooks([vlm.model.get_submodule(name).register_forward_pre_hook(_instead(kept))
                                       for name, kept in given.entries.items()]))
        if any(given.units):
            stack.enter_context(by_sample(vlm, given.units))
        yield


def _instead(kept: torch.Tensor) -> Callable[..., tuple]:
    return lambda module, args: (kept,)


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

    # before the hook of `narrowed`, which needs the kept states where the first adapted layer is the last
    hook = vlm.layers[given.first_layer].register_forward_pre_hook(enter, with_kwargs=True, prepend=True)
    with hooks([hook]), _passed(list(vlm.layers[: given.first_layer]), given.tuples):
        yield


@contextmanager
def _passed(layers: list[nn.Module], tuples: bool) -> Iterator[None]:
    """Inside, these layers hand their hidden states through."""
    for layer in layers:
        layer.forward = _through(tuples)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _through(tuples: bool) -> Callable[..., Any]:
    def forward(hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        return (hidden_states,) if tuples else hidden_states

    return forward


def verify(vlm: Vlm, batch: Batch) -> float:
    """Largest difference between `answer_logits` and the model's own uncut forward, relative to the largest logit.

    Raises ModelError above 1e-3 (float32; 0.05 in half precision or quantised): then this family does something after
    its head that is not known here, and its gradients would be wrong. Raises it too when an answer sees the tokens that
    follow it, when logits are not finite, and when samples cannot be told apart in an adapted linear.
    """
    limit = 1e-3 if vlm.dtype in (torch.float32, torch.float64) and not vlm.quantized else 0.05
    with torch.no_grad(), arithmetic(vlm):
        given = prefix(vlm, batch)
        with hooks([module.register_forward_pre_hook(_by_sample) for module in _adapted_inside(vlm)]):
            ours = answer_logits(vlm, given)
        own, after = (vlm.model(**inputs, use_cache=False).logits[given.rows, given.columns].to(ours.dtype)
                      for inputs in (batch.inputs, _other_ending(batch)))
    if not own.isfinite().all():  # eager attention in float64: float32's softmax turns a padded row's mask into NaN
        raise ModelError(f"{type(vlm.model).__name__}: logits are not finite beside padding in {vlm.dtype}. Choose "
                         "another precision, float32 for instance.")
    scale = own.abs().max().clamp_min(1e-6)
    if not float((after - own).abs().max() / scale) <= limit:
        raise unsupported(f"{type(vlm.model).__name__} lets an answer see the tokens that follow it, so that its loss "
                          "means nothing")
    error = float((ours - own).abs().max() / scale)
    if not error <= limit:
        raise unsupported(f"{type(vlm.model).__name__}: the cut forward differs from the model's own by {error:.2g}")
    return error


def _adapted_inside(vlm: Vlm) -> list[nn.Module]:
    """Adapted linears of the language model; those outside get their rows by sample from `by_sample`."""
    if vlm.lora is None:
        return []
    return [vlm.model.get_submodule(name) for name in vlm.lora.names if name not in vlm.outer.names]


def _by_sample(module: nn.Module, args: tuple) -> None:
    """An adapted linear must be called with [B, L, in]."""
    if args[0].dim() != 3:
        raise unsupported("an adapted linear of the language model gets its samples joined in one list, so they cannot "
                          "be told apart")


def _other_ending(batch: Batch) -> dict[str, torch.Tensor]:
    """The inputs with another token in place of each sample's last answer token."""
    places = torch.arange(batch.answer.shape[1], device=batch.answer.device)
    last = (batch.answer * places).argmax(1, keepdim=True)
    ids = batch.inputs["input_ids"]
    old = ids.gather(1, last)
    return batch.inputs | {"input_ids": ids.scatter(1, last, torch.where(old > 0, old - 1, old + 1))}
