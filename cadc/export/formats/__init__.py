"""The table of export formats: a new one is one file beside this one and one line here."""

from cadc.export.format import Format
from cadc.export.formats import (
    axolotl,
    hub,
    ids,
    llamafactory,
    llava,
    llava_next,
    original,
    swift,
    trl,
    webdataset,
)
from cadc.study.registry import Registry

FORMATS: Registry[Format] = Registry("export format", (
    trl.FORMAT,
    llamafactory.FORMAT,
    swift.FORMAT,
    axolotl.FORMAT,
    llava.FORMAT,
    llava_next.FORMAT,
    hub.FORMAT,
    webdataset.FORMAT,
    ids.FORMAT,
    original.FORMAT,
))
"""Every known format; the first is the default."""

RENAMED = {"messages-tags": "ms-swift", "messages-blocks": "trl"}
"""Formats of earlier versions → the trainer whose rows are nearest."""
