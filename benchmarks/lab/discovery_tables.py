"""The tables of `benchmarks.lab.discovery`, for a person."""

from typing import Any

from benchmarks.lab.discovery import BUDGET
from benchmarks.lab.report import two


def show_transfer(transfer: dict[str, Any], skills: list[str], formats: list[str]) -> None:
    """One transfer matrix with what it says."""
    units, matrix = transfer["units"], transfer["matrix"]
    wide = max(map(len, units))
    print(f"Measured transfer in % of what a unit gains from itself; {transfer['steps']} steps on fresh rows from "
          f"checkpoint {transfer['checkpoint']}; "
          "row: trained on, column: measured on; ·: gains nothing from itself")
    print(" " * wide + "".join(f"{n:5d}" for n in range(len(units))))
    for n, (unit, row) in enumerate(zip(units, matrix, strict=True)):
        cells = "".join("    ·" if v is None or v != v else f"{100 * v:5.0f}" for v in row)
        print(f"{unit:{wide}}{cells}  {n} {skills[n]}, {formats[n]}")
    print("Spearman of similarity with transfer: " +
          ", ".join(f"{name} {two(value)}" for name, value in transfer["spearman_of"].items()) +
          f" (plain: Mantel p {two(transfer['spearman_p'], 3)}, {transfer['pairs']} pairs)")
    for name in ("skill", "format"):
        part = transfer[name]
        print(f"Transfer inside a planted {name} {two(part['within'])}, across {two(part['between'])}, "
              f"AUC {two(part['auc'])}, permutation p {two(part['p'], 3)}")
    print()


def show_discovery(result: dict[str, Any]) -> None:
    """The tables that a person reads."""
    show_transfer(result["transfer"], result["skills"], result["formats"])
    print(f"{'map':24}{'K':>4}{'alone':>7}{'ARI skill':>11}{'ARI format':>12}")
    for row in result["maps"]:
        print(f"{row['signal'] + ' / ' + row['cluster']:24}{row['k']:4d}{row['unassigned']:7d}{row['ari_skill']:11.2f}"
              f"{row['ari_format']:12.2f}")
    print(f"\n{'AUC of finding':24}{'off-topic':>11}{'off-target':>12}{'wrong':>8}{'twins':>8}{'own unit':>10}")
    for name, row in result["auc"].items():
        print(f"{name:24}{two(row['off_topic'], 3):>11}{two(row['off_target'], 3):>12}{two(row['wrong'], 3):>8}"
              f"{two(row['twins'], 3):>8}{100 * row['own_unit']:9.1f}%")
    print("wrong rows by measured signals: " + ", ".join(f"{k} {two(v)}" for k, v in result["wrong_by"].items()))
    print(f"\n{'share of rows':24}{'off-topic':>11}{'off-target':>12}{'wrong':>8}{'duplicate':>11}")
    for name, row in result["curriculum"].items():
        label = name if name == "pool" else f"{name}, {BUDGET.replace('%', ' %')} ({row['rows']} rows)"
        print(f"{label:24}" + "".join(f"{100 * row[key]:{w}.1f}%" for key, w in
                                      (("off_topic", 10), ("off_target", 11), ("wrong", 7), ("duplicate", 10))))
    print("\nseconds: " + ", ".join(f"{name} {value:.0f}" for name, value in result["seconds"].items()))
