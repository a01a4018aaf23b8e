"""A folder with pictures of every kind, and a writer of input files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image


def picture(seed: int = 0, size: tuple[int, int] = (40, 30)) -> Image.Image:
    """A picture with structure; another seed is another picture."""
    image = Image.new("RGB", size, (240, 240, 250))
    for step in range(4):
        x, y = (seed * 13 + step * 11) % (size[0] - 8), (seed * 7 + step * 17) % (size[1] - 8)
        image.paste(((seed * 61 + step * 90) % 256, (seed * 37) % 256, step * 60), (x, y, x + 7, y + 7))
    return image


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An image root with a.png, b.jpg, coco/c.png; outside.png lies beside it."""
    folder = tmp_path / "pictures"
    (folder / "coco" / "train").mkdir(parents=True)
    picture(0).save(folder / "a.png")
    picture(1).save(folder / "b.jpg", quality=92)
    picture(2).save(folder / "coco" / "train" / "c.png")
    picture(3).save(tmp_path / "outside.png")
    return folder


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write rows as a JSON list or JSON Lines; a str is written as it is."""
    def written(rows: Any, name: str = "pool.json") -> Path:
        path = tmp_path / name
        if isinstance(rows, bytes):
            path.write_bytes(rows)
        elif isinstance(rows, str):
            path.write_text(rows, encoding="utf-8")
        elif name.endswith("l"):
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        else:
            path.write_text(json.dumps(rows, indent=1), encoding="utf-8")
        return path

    return written


def llava(question: str = "<image>\nWhat?", answer: str = "red", image: Any = "a.png", **more: Any) -> dict[str, Any]:
    """A LLaVA row; image None leaves the key out."""
    row = {"id": "r", "conversations": [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]} | more
    return row if image is None else row | {"image": image}
