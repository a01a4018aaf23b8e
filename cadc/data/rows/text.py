"""Texts of a row: what no tokenizer takes is refused or taken out, what a trainer would take for a mark is named."""

import re

from cadc.data.reasons import SetAside, printable
from cadc.data.rows.keys import Account
from cadc.data.sample import IMAGE_TAG

MEDIA = ("<video>", "<audio>")
"""Words that trainers look for a film or a sound behind, as `<image>` for a picture."""

SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile(
    r"<\|[A-Za-z0-9_/ -]{1,40}\|>|<｜[^<>｜]{1,40}｜>|<(?:start|end)_of_(?:turn|utterance|image|text)>|\[/?INST\]"
    r"|<</?SYS>>|</?s>|<(?:eos|bos|pad|unk)>|<fake_token_around_image>|<global-img>|<row_\d+_col_\d+>|\[(?:IMG|IMG_BREAK|IMG_END)\]"
    r"|<\|?im_(?:start|end)\|?>|<image_soft_token>|<IMG_CONTEXT>")
_PICTURE_LIKE = re.compile(r"<[^<>]{0,40}image[^<>]{0,80}>|<img\b[^<>]{0,200}>", re.IGNORECASE)


def clean(text: str, account: Account) -> str:
    """A text without NUL characters, with a warning where there were any. Raises SetAside for unpaired surrogates."""
    if "\0" in text:
        account.note("NUL character taken out of the text")
        text = text.replace("\0", "")
    if not text.isascii() and SURROGATE.search(text):
        raise SetAside("unpaired surrogate in the text")
    return text


def check_path(text: str) -> None:
    """Refuse a path that no file system takes."""
    if "\0" in text:
        raise SetAside("NUL character in a picture's path")
    if not text.isascii() and SURROGATE.search(text):
        raise SetAside("unpaired surrogate in the text")


def refuse_media(text: str, where: str) -> None:
    """Refuse a text that a trainer would look for a medium behind: the rows of every trainer with tags in its texts
    would no longer be loaded."""
    found = next((word for word in (IMAGE_TAG, *MEDIA) if word in text), None)
    if found:
        raise SetAside(f"the text itself contains {found}: {where}; trainers would look for a {found[1:-1]} there")


def without_surrogates(text: str, account: Account) -> str:
    """Text that can be written as UTF-8: unpaired surrogates of kept columns become U+FFFD, with a warning."""
    if text.isascii() or not SURROGATE.search(text):
        return text
    account.note("unpaired surrogate in a kept column: replaced")
    return SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


def marks_of(text: str, place: str, account: Account, *, neutralise: bool) -> str:
    """Warn of chat-control tokens and of what looks like a picture's place and is none; with `neutralise`, control
    tokens are broken up by a space after their first character, so that no tokenizer takes them for its own."""
    if "<" not in text and "[" not in text:
        return text
    if found := _CONTROL.search(text):
        what = "neutralised" if neutralise else "a tokenizer may take it for its own (control_tokens=neutralise)"
        account.note(f"chat-control token in the text: {found.group()} in {place}, {what}")
        if neutralise:
            text = _CONTROL.sub(lambda hit: f"{hit.group()[0]} {hit.group()[1:]}", text)
    if found := _PICTURE_LIKE.search(text):
        account.note(f"unknown picture mark stays in the text: {printable(found.group(), 60)} in {place}")
    return text
