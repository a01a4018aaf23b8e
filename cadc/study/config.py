"""The settings of a study: everything that changes what a worker computes."""

import dataclasses
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cadc.errors import DataError

FILES = ("pool", "target", "images", "model")
"""Fields that say where something lies; what it holds counts, not where."""
GONE = ("pool_sketch", "out_of_fold", "out_of_fold_share", "out_of_fold_target", "crossfit", "crossfit_share",
        "crossfit_target")
"""Settings of earlier versions that nothing reads any more."""
BEFORE: dict[str, Any] = {"reading": 1, "whitened": False, "nearness": "gradients+embedding",
                          "answer_states": False, "judges": 0}
"""What a setting was before it existed, where that is not its default: keys are counted from there."""
PARTS = ("language", "connector", "vision")
"""Parts of a model that can be adapted."""


@dataclass(frozen=True, kw_only=True)
class StudyConfig:
    """Everything that changes what a worker computes. Same config and same inputs: same identity, same cache."""

    pool: str
    """Path of the instruction pool."""
    target: str
    """Path of the target benchmark."""
    images: str = ""
    """Image root of pool and target; '' means the folder of each file."""
    unit_column: str = ""
    """Column of the target file that names its units; '' makes every sample a unit of its own."""
    max_pixels: int = 100_000_000
    """Pictures of more pixels are set aside, since small files can hold them (at most 1 000 000 000)."""
    follow_links: bool = False
    """Whether links below the image root may lead to pictures outside it; `..` never does."""
    model: str
    """Hugging Face id or local folder of the base model."""
    control_tokens: str = "keep"
    """Chat-control tokens in texts (`<|im_end|>`): `keep` with a warning, or `neutralise` (broken up by a space)."""
    preset: str = "studio"
    """`quick`, `studio` or `paper` (METHOD §3), or one of a plugin: the default choices of later steps; all stay
    available. A study of `quick` computes no gradients unless asked to."""
    seed: int = 0
    """Seeds warm-up sampling, adapter initialisation and picture permutations."""
    lora_rank: int = 8
    """Rank r of every LoRA matrix."""
    lora_alpha: float = 16.0
    """LoRA scale is alpha / r."""
    lora_layers: str = "all"
    """`all`, or `last:k` for adapters on the last k language-model layers only."""
    lora_targets: str = "language"
    """Parts that get adapters: `language`, `connector`, `vision`, or several joined by `+` (`language+connector`)."""
    precision: str = "auto"
    """Base weights and activations: `auto` (bfloat16 on a GPU, else float32), `float32`, `bfloat16` or `float64`."""
    quantization: str = "none"
    """Base weights in `8bit` or `4bit` through bitsandbytes, or `none`."""
    warmup_share: float = 0.1
    """Share of the pool that the warm-up trains on (LESS: 0.05)."""
    warmup_min_rows: int = 256
    """The warm-up never trains on fewer rows than this (or the whole pool)."""
    warmup_epochs: int = 4
    """Passes over that share; checkpoints are spread evenly over them."""
    warmup_batch: int = 32
    """Samples per optimiser step."""
    learning_rate: float = 3e-3
    """Peak AdamW learning rate of the warm-up (short linear rise, then linear decay to a tenth)."""
    checkpoints: int = 4
    """T, the number of checkpoints kept."""
    reading: int = 2
    """How texts are read: 2 as they stand; 1 without the white space around pictures and at their ends, as earlier
    versions did (their studies keep it, and so their results)."""
    features: str = "adam"
    """Training-side feature Γ (METHOD §2): `adam`, `less` or `sgd`."""
    whitened: bool = True
    """Also compute whitened products (METHOD §4): the single target samples are the metric. Needs features=adam or
    sgd, and landmarks=1."""
    ridge: float = 0.1
    """m, the ridge of that metric; 1 is the length of a target sample's own direction."""
    grounded: bool = True
    """Also compute grounded target gradients (METHOD §2)."""
    permutations: int = 2
    """P, picture permutations per unit for the grounded gradient."""
    mode: str = "auto"
    """Products with full target vectors: `exact`; with random projections: `sketch`; `auto`: exact where they fit."""
    sketch_dim: int = 4096
    """Numbers per vector in `sketch` mode, over all LoRA matrices together."""
    landmarks: float = 1.0
    """Share of the pool whose gradients are computed; the other rows' influences are predicted from one forward."""
    judges: int = 2
    """Adapters trained on target samples alone; their losses find rows that look wrong (METHOD §5). 0: none."""
    judge_steps: int = 0
    """Optimiser steps of each; 0: as many as lower the loss of target samples that it does not see."""
    transfer_steps: int = 40
    """Optimiser steps on one target unit when transfer between units is measured (METHOD §3)."""
    transfer_repeats: int = 2
    """Runs per unit of that measurement; each holds other samples out."""
    samples_per_unit: int = 64
    """At most this many target samples of a unit enter its mean."""
    near_samples: int = 32
    """At most this many single target samples per unit for near(z, s) (METHOD §4)."""
    answer_states: bool = True
    """The embedding also keeps hidden states where the answer is written: the signal `answers`, and a `nearness` with
    it, need them."""
    nearness: str = "whitened+embedding+embedding-whitened+answers"
    """Signals that near(z, s) is joined from (METHOD §4): `whitened` or `gradients`, and such as `embedding`."""
    near_q: int = 5
    """q: near(z, s) is the mean of the q largest influences."""
    best_rows: int = 256
    """L: best pool rows kept per single target sample."""
    max_tokens: int = 2048
    """Longer samples are set aside with a reason."""
    shard_rows: int = 512
    """Pool rows per shard (a shard is ≤ ~30 s of work)."""

    @property
    def chosen(self) -> dict[str, Any]:
        """Settings that differ from their defaults, files left aside: what keys are made of, so that a new setting with
        its default changes no old key."""
        return {f.name: value for f in dataclasses.fields(self)
                if f.name not in FILES and (value := getattr(self, f.name)) != BEFORE.get(f.name, f.default)}

    @property
    def whitens(self) -> bool:
        """Whether whitened products are computed: asked for, and possible."""
        return self.whitened and self.features != "less" and self.landmarks == 1

    def without(self, names: Iterable[str]) -> "StudyConfig":
        """The same with these settings at their defaults: for a job that must not depend on them."""
        fields: dict[str, Any] = {f.name: f.default for f in dataclasses.fields(self) if f.name in names}
        return dataclasses.replace(self, **fields)

    def __post_init__(self) -> None:
        checks = {
            "preset": re.fullmatch(r"[a-z][a-z0-9_-]*", self.preset) is not None,
            "nearness": re.fullmatch(r"[a-z][a-z0-9_-]*(\+[a-z][a-z0-9_-]*)*", self.nearness) is not None,
            "answer_states": self.answer_states or "answers" not in self.nearness.split("+"),
            "ridge": 0 < self.ridge < 1e6,
            "reading": self.reading in (1, 2),
            "control_tokens": self.control_tokens in ("keep", "neutralise"),
            "features": self.features in ("adam", "less", "sgd"),
            "lora_layers": re.fullmatch(r"all|last:[1-9]\d*", self.lora_layers) is not None,
            "lora_targets": len(set(parts := self.lora_targets.split("+"))) == len(parts) and set(parts) <= set(PARTS),
            "precision": self.precision in ("auto", "float32", "bfloat16", "float64"),
            "quantization": self.quantization in ("none", "8bit", "4bit"),
            "mode": self.mode in ("auto", "exact", "sketch"),
            "max_pixels": 1 <= self.max_pixels <= 1_000_000_000,
            "landmarks": 0 < self.landmarks <= 1,
            "judges": 0 <= self.judges <= 16,
            "judge_steps": self.judge_steps >= 0,
            "warmup_share": 0 < self.warmup_share <= 1,
            "learning_rate": 0 < self.learning_rate < 1,
            "lora_alpha": self.lora_alpha > 0,
        }
        positive = ("lora_rank", "warmup_min_rows", "warmup_epochs", "warmup_batch", "checkpoints", "permutations",
                    "transfer_steps", "transfer_repeats",
                    "samples_per_unit", "near_samples", "near_q", "best_rows", "max_tokens", "shard_rows",
                    "sketch_dim")
        checks |= {name: getattr(self, name) >= 1 for name in positive}
        for name, ok in checks.items():
            if not ok:
                raise DataError(f"setting {name}={getattr(self, name)!r} is not allowed. "
                                "docs/settings.md says what is.")

    @classmethod
    def of(cls, values: dict[str, Any]) -> "StudyConfig":
        """A config as it was written, by this version or an earlier one. Raises TypeError for a key nobody knew."""
        kept = {key: value for key, value in values.items() if key not in GONE}
        for name, before in BEFORE.items():
            kept.setdefault(name, before)
        return cls(**kept)

    @classmethod
    def from_settings(cls, base: dict[str, Any], settings: dict[str, str]) -> "StudyConfig":
        """Build a config from typed values plus `key=value` texts; raises DataError for an unknown key or bad value."""
        fields = {f.name: f for f in dataclasses.fields(cls)}
        values = dict(base)
        for key, text in settings.items():
            if key in GONE:
                raise DataError(f"setting {key!r} was of an earlier version: nothing reads it any more. Leave it out; "
                                "docs/settings.md has those of today.")
            if key not in fields:
                raise DataError(f"unknown setting {key!r}. Known: {', '.join(fields)}")
            values[key] = _parse(key, text, fields[key].type)
        return cls(**values)


OF_GRADIENTS = ("gradients", "whitened")
"""Signals that the gradient pass computes."""


def signals_of(config: StudyConfig) -> tuple[str, ...]:
    """Names of the signals that near(z, s) is joined from; plain gradients where whitened ones cannot be had."""
    names = config.nearness.split("+")
    return tuple(dict.fromkeys("gradients" if name == "whitened" and not config.whitens else name for name in names))


def joined_signals(config: StudyConfig) -> tuple[str, ...]:
    """Those of them that need no gradient."""
    return tuple(name for name in signals_of(config) if name not in OF_GRADIENTS)


OF_STATES = ("embedding", "embedding-whitened", "answers")
"""Signals that the forward of the untrained base computes."""


def _parse(key: str, text: str, kind: Any) -> object:
    """Read one `key=value` text as the type of its field."""
    if kind is bool:
        words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        if text.lower() not in words:
            raise DataError(f"setting {key}={text!r}: expected true or false")
        return words[text.lower()]
    try:
        return kind(text)
    except ValueError:
        raise DataError(f"setting {key}={text!r}: expected {kind.__name__}") from None
