"""Makes of this folder what fits the machine that trains: prepared/. Written by CADC Studio.

    python prepare.py MODEL [OUTPUT]           run.sh does it

* Axolotl reads pictures by absolute paths: every image block gets one.
* Axolotl tells answers from questions by the marks of the chat template. For some families it knows none and would
  train on everything; so they are taken out of the template of the model itself.
"""

import json
import sys
from pathlib import Path

import yaml
from transformers import AutoProcessor

HERE, PREPARED = Path(__file__).resolve().parent, Path(__file__).resolve().parent / "prepared"


def rows(name: str) -> int:
    """The rows with absolute paths; how many there are."""
    with open(HERE / name, encoding="utf-8") as lines, open(PREPARED / name, "w", encoding="utf-8") as out:
        for number, line in enumerate(lines, 1):
            row = json.loads(line)
            for block in (block for turn in row["messages"] for block in turn["content"]):
                if block["type"] == "image":
                    path = HERE / block["path"]  # a path that is absolute stays itself
                    if not path.is_file():
                        sys.exit(f"{name}, row {number}: the picture {path} is not there")
                    block["path"] = str(path)
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    return number


def boundaries(model: str) -> list[dict]:
    """What stands before an answer, and what ends a turn, in the model's own chat template."""
    processor = AutoProcessor.from_pretrained(model)
    words = ["QZXoneZXQ", "QZXtwoZXQ", "QZXthreeZXQ", "QZXfourZXQ"]
    talk = [{"role": role, "content": [{"type": "text", "text": word}]}
            for role, word in zip(("user", "assistant") * 2, words, strict=True)]
    text = processor.apply_chat_template(talk, tokenize=False)
    pieces = []
    for word in words:
        piece, text = text.split(word)
        pieces.append(piece)
    to_answer, to_question = pieces[1].lstrip(), pieces[2].lstrip()
    tokenizer = getattr(processor, "tokenizer", processor)
    special = {*tokenizer.all_special_tokens, *(str(token) for token in tokenizer.added_tokens_decoder.values())}
    closing = max((token for token in special if token and to_question.startswith(token)), key=len, default="")
    both = to_answer.startswith(closing)  # questions end as answers do
    start = to_answer[len(closing):] if both else to_answer
    if not closing or not start.strip():
        sys.exit(f"the chat template of {model} does not say where an answer ends, so Axolotl cannot find it: write "
                 "role_boundaries into axolotl.yaml by hand")
    found = [{"role": "assistant", "start": start.lstrip().rstrip(" "), "end": closing}]
    if both:
        found.append({"role": "user", "start": to_question[len(closing):].lstrip().rstrip(" "), "end": closing})
    return found


def main(model: str, output: str) -> None:
    """Write prepared/."""
    PREPARED.mkdir(exist_ok=True)
    config = yaml.safe_load((HERE / "axolotl.yaml").read_text(encoding="utf-8"))
    for data in config["datasets"]:
        print(f"{rows(data['path'])} rows of {data['path']} prepared")
        data["path"] = str(PREPARED / data["path"])
    config["base_model"], config["output_dir"] = model, str((HERE / output).resolve())
    config.setdefault("role_boundaries", boundaries(model))
    (PREPARED / "axolotl.yaml").write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "trained")
