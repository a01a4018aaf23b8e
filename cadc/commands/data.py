"""Commands about data files, before there is a study."""

import argparse
from collections import Counter
from pathlib import Path

from cadc.commands.command import Command

SHOWN = 20
"""Rows set aside that are printed; the report file has all."""


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pool", required=True, type=Path, metavar="FILE",
                        help="a file, a folder or glob of shards, or a downloaded dataset")
    parser.add_argument("--images", type=Path, metavar="DIR", help="image root; default: the folder of FILE")
    parser.add_argument("--follow-links", action="store_true",
                        help="open pictures that links below the image root lead to outside it (setting follow_links)")
    parser.add_argument("--max-pixels", type=int, metavar="N", help="as the setting max_pixels; default: 100 million")
    parser.add_argument("--neutralise", action="store_true",
                        help="break up chat-control tokens in texts (as the setting control_tokens=neutralise does)")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the report there")


def check(chosen: argparse.Namespace) -> int:
    """Read a pool as a study would and print what it would set aside, and what became of its columns."""
    from cadc.data import check as read
    from cadc.data.limits import USUAL, PictureLimits
    from cadc.data.rows import told_keys

    limits = PictureLimits(max_pixels=chosen.max_pixels or USUAL.max_pixels, follow_links=chosen.follow_links)
    report = read(chosen.pool, chosen.images, limits=limits, neutralise=chosen.neutralise)
    if chosen.json:
        from cadc.study import write_json

        write_json(chosen.json.resolve(), report)
    print(f"{report['samples']} samples, {report['accepted']} accepted, {len(report['set_aside'])} set aside, "
          f"{len(report['warnings'])} warnings, {len(report['near_duplicates'])} near-duplicates")
    if report["passed_over"]:
        print("  passed over: " + ", ".join(f"{name} ({count})" for name, count in report["passed_over"].items()))
    for line in told_keys(report["keys"]):
        print(line)
    for row in report["set_aside"][:SHOWN]:
        print(f"  row {row['index']} ({row['id'] or 'no id'}): {row['reason']}")
    if len(report["set_aside"]) > SHOWN:
        print(f"  … {len(report['set_aside']) - SHOWN} more; --json writes them all")
    kinds = Counter(row["reason"].split(":", 1)[0] for row in report["warnings"])
    for kind, number in kinds.most_common():
        example = next(row for row in report["warnings"] if row["reason"].startswith(kind))
        print(f"  warning, {number} times: row {example['index']}: {example['reason']}")
    return 0


CHECK = Command(name="check", about="Read a pool file and report every row that would be set aside, and why.",
                example="check --pool pool.json --images photos/ --json report.json", arguments=_arguments, run=check)
