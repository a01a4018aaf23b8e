"""Adapters outside the language model: which linears make up vision tower and connector, and whose rows are whose.

Models flatten the pictures of a batch into one list ([Σ tiles, patches, in], [Σ patches, in], and other counts after
mergers). No family is named here: parts are found by watching pictures go through the model, and each linear's rows
are dealt out to samples in proportion to what each brings to the tower (`Batch.units`). That this is right is checked
on the model itself, by changing one sample's pictures and seeing which rows change. Shape letters: B samples, R rows.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from cadc.data.indices import FileIndex
from cadc.data.sample import Sample, Turn
from cadc.errors import DataError, ModelError
from cadc.models.encode import Batch
from cadc.models.layout import Outer
from cadc.models.refusal import unsupported
from cadc.models.vlm import Vlm

PICTURES = (2, 0, 1)
"""Pictures of each sample that is sent through the model to watch it."""


class Reached(Exception):
    """Thrown out of the model's forward at the cut."""


@contextmanager
def hooks(handles: Sequence[RemovableHandle]) -> Iterator[None]:
    """Remove hooks at the end, whatever happens."""
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def run_below(vlm: Vlm, inputs: dict[str, torch.Tensor], handles: Sequence[RemovableHandle]) -> list[torch.Tensor]:
    """The model's forward up to its language model, with hooks that are removed afterwards; the floating tensors that
    the language model is called with."""
    caught: list[Any] = []

    def stop(module: nn.Module, args: tuple, kwargs: dict) -> None:
        caught.extend([*args, *kwargs.values()])
        raise Reached

    with hooks([*handles, vlm.decoder.register_forward_pre_hook(stop, with_kwargs=True)]):
        try:
            vlm.model(**inputs, use_cache=False)
        except Reached:
            flat = [v for value in caught for v in (value if isinstance(value, list | tuple) else [value])]
            return [v for v in flat if isinstance(v, torch.Tensor) and v.is_floating_point()]
    raise unsupported(f"{type(vlm.model).__name__} never called its language model")


def find_outer(vlm: Vlm, parts: set[str]) -> Outer:
    """The linears of `vision`, `connector` or both, by their place in the forward of a few pictures.

    The tower is the longest list of modules that runs outside the language model; its linears, and those before it,
    are `vision`; those after it (or fed from inside it) are `connector`. Linears on which the language model's input
    does not depend (a pooling head, the last block where the last but one is read) belong to neither. Raises
    ModelError when a part has none.
    """
    if vlm.encoder.template.image_token is None:
        raise ModelError(f"{type(vlm.model).__name__} reads text only. Choose lora_targets=language.")
    inner = {id(m) for m in vlm.decoder.modules()} | {id(vlm.head)}
    outside = [(name, m) for name, m in vlm.model.named_modules() if id(m) not in inner]
    lists = [m for _, m in outside if isinstance(m, nn.ModuleList) and len(m)]
    linears: dict[str, nn.Module] = {name: m for name, m in outside if isinstance(m, nn.Linear)}
    order, useful = _order(vlm, linears, [block for one in lists for block in one])
    lists = [one for one in lists if all(id(block) in order for block in one)]
    if not lists:
        raise ModelError(f"{type(vlm.model).__name__}: no vision tower was found. Choose lora_targets=language.")
    tower = max(lists, key=lambda one: (len(one), -order[id(one[0])]))
    within, begin = {id(m) for m in tower.modules()}, order[id(tower[0])]
    found: dict[str, list[str]] = {"vision": [], "connector": []}
    for name in useful:
        key = id(linears[name])
        found["vision" if key in within or order[key] < begin else "connector"].append(name)
    for part in sorted(parts):
        if not found[part]:
            raise ModelError(f"{type(vlm.model).__name__}: its {part} holds no linear modules to adapt. Leave {part} "
                             "out of lora_targets.")
    ids = {id(block) for block in tower}
    blocks = () if "vision" in parts else tuple(name for name, m in outside if id(m) in ids)
    return Outer(tuple(name for part in sorted(parts) for name in found[part]), blocks)


def _order(vlm: Vlm, linears: dict[str, nn.Module], blocks: list[nn.Module]) -> tuple[dict[int, int], list[str]]:
    """When each module is first called (by id), and the linears that the language model's input depends on."""
    order: dict[int, int] = {}
    nothing = {name: torch.zeros((), device=vlm.device, dtype=vlm.dtype, requires_grad=True) for name in linears}

    def note(module: nn.Module, args: tuple) -> None:
        order.setdefault(id(module), len(order))

    def add(name: str) -> Callable[..., torch.Tensor]:
        return lambda module, args, y: y + nothing[name].to(y.dtype)

    handles = [m.register_forward_pre_hook(note) for m in [*linears.values(), *blocks]]
    handles += [m.register_forward_hook(add(name)) for name, m in linears.items()]
    with torch.enable_grad():
        reached = [v for v in run_below(vlm, probe(vlm).inputs, handles) if v.requires_grad]
        if not reached:
            return order, []
        found = torch.autograd.grad([v.sum() for v in reached], list(nothing.values()), allow_unused=True)
    return order, [name for name, gradient in zip(nothing, found, strict=True) if gradient is not None]


def watch_outer(vlm: Vlm, outer: Outer) -> Outer:
    """`outer` with its entries; checks that each linear's rows are dealt out to the right samples.

    Raises ModelError when a row that is dealt to one sample changes with another sample's pictures.
    """
    batch = probe(vlm)
    with torch.enable_grad():
        before, free = _seen(vlm, batch, outer)
    for place, shown in enumerate(PICTURES):
        if not shown:
            continue
        with torch.no_grad():
            after, _ = _seen(vlm, probe(vlm, turned=place), outer)
        for name, x in before.items():
            counts = counts_of(x, batch.units, name)
            start = sum(counts[:place])
            if not _only(x, after[name], start, start + counts[place]):
                raise ModelError(f"{type(vlm.model).__name__}: which rows of {name} belong to which sample could not "
                                 "be made out. Choose lora_targets=language.")
    entries = tuple(name for name in outer.names if name in free) if outer.blocks else ()
    return Outer(outer.names, outer.blocks, entries)


def _only(x: torch.Tensor, other: torch.Tensor, start: int, end: int) -> bool:
    """Whether rows [start, end) of x [..., in] are those that differ; 8-bit rounding over the batch is overlooked."""
    if x.shape != other.shape:
        return False
    change = (x.float() - other.float()).abs().flatten(0, -2).amax(-1)  # [R]
    rest = torch.cat([change[:start], change[end:], change.new_zeros(1)])
    return bool(change.max() > 0 and rest.max() <= 0.02 * change.max())


def _seen(vlm: Vlm, batch: Batch, outer: Outer) -> tuple[dict[str, torch.Tensor], set[str]]:
    """What each adapted linear is called with, and those that no other adapter comes before."""
    seen: dict[str, torch.Tensor] = {}
    free: set[str] = set()

    def keep(name: str) -> Callable[..., None]:
        def before(module: nn.Module, args: tuple) -> None:
            if name in seen:
                raise ModelError(f"{type(vlm.model).__name__} calls {name} several times for one batch, so samples "
                                 "cannot be told apart in it. Choose lora_targets=language.")
            seen[name] = args[0].detach().cpu()
            if not args[0].requires_grad:
                free.add(name)

        return before

    run_below(vlm, batch.inputs, [vlm.model.get_submodule(n).register_forward_pre_hook(keep(n)) for n in outer.names])
    return seen, free


def probe(vlm: Vlm, turned: int = -1) -> Batch:
    """A few made-up samples with several pictures, none and one; those of sample `turned` are shown upside down."""
    from PIL import Image

    sizes = ((96, 64), (64, 64), (64, 96))
    encoded = []
    for place, shown in enumerate(PICTURES):
        bands = (Image.linear_gradient("L"), Image.radial_gradient("L"), Image.new("L", (256, 256), 60 * place))
        pictures = [Image.merge("RGB", bands).resize(sizes[(place + i) % 3]) for i in range(shown)]
        if place == turned:
            pictures = [picture.transpose(Image.Transpose.ROTATE_180) for picture in pictures]
        parts = tuple(part for i in range(shown) for part in (i, "look")) or ("think",)
        sample = Sample(index=FileIndex(place), id=f"probe {place}", turns=(Turn(role="user", parts=parts),),
                        images=tuple(str(i) for i in range(shown)))
        try:
            encoded.append(vlm.encoder.encode_prompt(sample, pictures))
        except DataError as error:
            raise ModelError(f"adapters outside the language model cannot be checked: {error} Choose "
                             "lora_targets=language.") from error
    return vlm.collate(encoded)


def counts_of(x: torch.Tensor, units: tuple[int, ...], name: str) -> list[int]:
    """Rows of each sample in x [..., in], whose R rows follow the batch's order: R · units_b / Σ units.

    Raises ModelError when they do not come out even.
    """
    rows, total = x[..., 0].numel(), sum(units)
    if not total or any(rows * one % total for one in units):
        raise ModelError(f"{name} got {rows} rows for samples that bring {list(units)} picture parts: which row is "
                         "whose cannot be told. Choose lora_targets=language.")
    return [rows * one // total for one in units]


@contextmanager
def by_sample(vlm: Vlm, units: tuple[int, ...]) -> Iterator[None]:
    """Inside, adapted linears outside the language model work on [B, rows of a sample, in] (zeros where a sample has
    fewer) instead of flattened rows, so that samples can be told apart in them; their outputs are flattened again."""
    with hooks([hook for name in vlm.outer.names for hook in _regroup(vlm.model.get_submodule(name), name, units)]):
        yield


def _regroup(module: nn.Module, name: str, units: tuple[int, ...]) -> list[RemovableHandle]:
    """Hooks of one linear."""
    kept: list[tuple[torch.Size, torch.Tensor | None]] = []

    def apart(module: nn.Module, args: tuple) -> tuple:
        x = args[0]
        counts = counts_of(x, units, name)
        most, flat = max(counts), x.reshape(-1, x.shape[-1])  # [R, in]
        if min(counts) == most:
            kept.append((x.shape, None))
            return (flat.view(len(units), most, -1),)
        sample = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
        first = torch.tensor([0, *counts[:-1]]).cumsum(0)
        place = (sample * most + torch.arange(len(flat)) - first[sample]).to(x.device)
        kept.append((x.shape, place))
        padded = flat.new_zeros(len(counts) * most, flat.shape[1]).index_copy(0, place, flat)
        return (padded.view(len(counts), most, -1),)

    def together(module: nn.Module, args: tuple, y: torch.Tensor) -> torch.Tensor:
        shape, place = kept.pop()
        flat = y.reshape(-1, y.shape[-1])
        return (flat if place is None else flat.index_select(0, place)).view(*shape[:-1], -1)

    return [module.register_forward_pre_hook(apart), module.register_forward_hook(together)]
