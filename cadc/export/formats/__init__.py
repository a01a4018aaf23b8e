"""The table of export formats: a new one is one file beside this one and one line here."""

from cadc.export.format import Format
from cadc.export.formats import llava, messages_blocks, messages_tags, original
from cadc.study.registry import Registry

FORMATS: Registry[Format] = Registry("export format", (
    llava.FORMAT,
    messages_tags.FORMAT,
    messages_blocks.FORMAT,
    original.FORMAT,
))
"""Every known format."""
