"""Signals: what says how near a pool row is to a target sample. The table; a new one is one file and one line here."""

from cadc.signals import embedding, gradients, words
from cadc.signals.signal import Signal
from cadc.study.registry import Registry

SIGNALS: Registry[Signal] = Registry("signal", (
    gradients.PLAIN,
    gradients.WHITENED,
    words.SIGNAL,
    embedding.SIGNAL,
    embedding.WHITENED,
    embedding.ANSWERS,
))
"""Every known signal."""
