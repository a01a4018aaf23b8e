"""Commands about data files, before there is a study."""

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cadc.commands.command import Command, print_json

if TYPE_CHECKING:
    from cadc.data import Ingest

SHOWN = 20
"""Rows set aside that are printed; the report file has all."""
STDOUT = Path("-")


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pool", required=True, type=Path, metavar="FILE",
                        help="a file, a folder or glob of shards, or a downloaded dataset")
    parser.add_argument("--images", type=Path, metavar="DIR", help="image root; default: the folder of FILE")
    parser.add_argument("--follow-links", action="store_true",
                        help="open pictures that links below the image root lead to outside it (setting follow_links)")
    parser.add_argument("--max-pixels", type=int, metavar="N", help="as the setting max_pixels; default: 100 million")
    parser.add_argument("--neutralise", action="store_true",
                        help="break up chat-control tokens in texts (as the setting control_tokens=neutralise does)")
    parser.add_argument("--model", default="", metavar="PATH_OR_ID",
                        help="also estimate tokens with this model's processor, and warn of rows that are too long")
    parser.add_argument("--max-tokens", type=int, default=2048, metavar="N", help="the most a row may have (2048)")
    parser.add_argument("--json", type=Path, nargs="?", const=STDOUT, metavar="OUT",
                        help="write the report there; without OUT: print it as one line of JSON")


def check(chosen: argparse.Namespace) -> int:
    """Read a pool as a study would and print what it would set aside, and what became of its columns."""
    from cadc.data import ingest
    from cadc.data.checking import checked
    from cadc.data.limits import USUAL, PictureLimits
    from cadc.data.rows import Reading, told_keys

    limits = PictureLimits(max_pixels=chosen.max_pixels or USUAL.max_pixels, follow_links=chosen.follow_links)
    found = ingest(chosen.pool, chosen.images, reading=Reading(neutralise=chosen.neutralise), limits=limits)
    report = checked(found)
    said = _too_long(found, report, chosen) if chosen.model else ""
    if chosen.json == STDOUT:
        print_json(report)
        return 0
    if chosen.json:
        from cadc.study import write_json

        write_json(chosen.json.resolve(), report)
    print(f"{report['samples']} samples, {report['accepted']} accepted, {len(report['set_aside'])} set aside, "
          f"{len(report['warnings'])} warnings, {len(report['near_duplicates'])} near-duplicates")
    if report["passed_over"]:
        print("  passed over: " + ", ".join(f"{name} ({count})" for name, count in report["passed_over"].items()))
    for line in told_keys(report["keys"]):
        print(line)
    if said:
        print(said)
    for row in report["set_aside"][:SHOWN]:
        print(f"  row {row['index']} ({row['id'] or 'no id'}): {row['reason']}")
    if len(report["set_aside"]) > SHOWN:
        print(f"  … {len(report['set_aside']) - SHOWN} more; --json writes them all")
    kinds = Counter(row["reason"].split(":", 1)[0] for row in report["warnings"])
    for kind, number in kinds.most_common():
        example = next(row for row in report["warnings"] if row["reason"].startswith(kind))
        print(f"  warning, {number} times: row {example['index']}: {example['reason']}")
    return 0


def _too_long(found: "Ingest", report: dict[str, Any], chosen: argparse.Namespace) -> str:
    """Put rows that the model will probably not take among the warnings of a report; what they rest on, in a line."""
    from cadc.data.ingestion import listed
    from cadc.data.lengths import expected_of
    from cadc.data.reasons import told
    from cadc.data.sizes import picture_sizes
    from cadc.models.lengths import estimated_tokens
    from cadc.study.inputs import input_root

    if not report["accepted"]:
        return ""
    root = chosen.images or input_root(chosen.pool)
    names = [name for sample in found.samples for name in sample.images]
    sizes = picture_sizes(found.pictures, names, root, None)
    expected = expected_of(estimated_tokens(chosen.model, found.samples, sizes), [s.index for s in found.samples],
                           [s.id for s in found.samples], chosen.max_tokens)
    report["warnings"] = sorted([*report["warnings"], *listed(expected.rows)], key=lambda row: row["index"])
    unknown = f"; the length of {expected.unknown:,} rows cannot be estimated" if expected.unknown else ""
    return f"probably left out in a run: {told(expected.kinds)}{unknown} ({expected.how})"


CHECK = Command(name="check", about="Read a pool file and report every row that would be set aside, and why.",
                example="check --pool pool.json --images photos/ --json report.json", arguments=_arguments, run=check)
