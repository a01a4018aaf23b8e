"""Which rule for a first τ finds planted capabilities (docs/decisions/0003): `python -m benchmarks.threshold --json
FILE`.

360 planted targets: 2–9 groups of 2–40 units, similarities with a common level or a common gradient direction, and
noise. Every rule picks one τ from the same grid; reported is the adjusted Rand index of its partition with the
planted groups, and the share of targets with more than .9. `best possible` looks at the truth. Synthetic: it ranks
rules, it promises nothing.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sklearn.metrics import adjusted_rand_score, silhouette_score

from benchmarks.lab.report import tell
from cadc.discovery.partition import Partition, apart, leiden
from cadc.discovery.similarity import distances

SIZES = ([7, 5, 4, 3], [10, 9], [6, 5, 4, 3, 2], [3] * 6, [40, 30, 20, 20, 15, 15, 10, 8, 4])


def planted(seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (similarity [M, M], planted label [M])."""
    for sizes in SIZES:
        label = np.repeat(np.arange(len(sizes)), sizes)
        same = label[:, None] == label[None, :]
        for level in (0.0, 0.3, 0.5):
            for gap, noise in ((0.3, 0.06), (0.2, 0.08)):
                rng = np.random.default_rng([seed, len(label), int(10 * level), int(100 * gap)])
                yield _cosines(level + gap * same + rng.normal(0, noise, same.shape)), label
        for common in (0.0, 1.0, 2.0):
            for noise in (1.0, 2.0):
                rng = np.random.default_rng([seed, len(label), int(common), int(noise)])
                vectors = rng.normal(size=(len(sizes), 200))[label] + common * rng.normal(size=200)
                vectors = vectors + noise * rng.normal(size=vectors.shape)
                vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
                yield _cosines(vectors @ vectors.T), label


def _cosines(values: np.ndarray) -> np.ndarray:
    values = np.clip((values + values.T) / 2, -1, 1)
    np.fill_diagonal(values, 1)
    return values


def merits(similar: np.ndarray, parts: list[Partition]) -> dict[str, np.ndarray]:
    """Each rule's merit of each partition of the grid."""
    labels = [apart(part.labels) for part in parts]
    modularity = np.array([part.modularity for part in parts])
    assigned = np.array([(part.labels >= 0).mean() for part in parts])
    near = [[j for j in range(max(0, i - 2), min(len(parts), i + 3)) if j != i] for i in range(len(parts))]
    kept = np.array(
        [np.mean([adjusted_rand_score(labels[i], labels[j]) for j in js] or [1.0]) for i, js in enumerate(near)]
    )
    far = distances(similar)
    inside = np.array([silhouette_score(far, own, metric="precomputed") if 1 < len(set(own)) < len(own) else -1.0
                       for own in labels])
    fewest = assigned == assigned.max()
    return {"silhouette": inside, "silhouette × assigned": inside * assigned,
            "silhouette where fewest are alone": np.where(fewest, inside, -2.0),
            "modularity × persistence × assigned": modularity * kept * assigned,
            "modularity × assigned": modularity * assigned, "persistence × assigned": kept * assigned,
            "modularity": modularity, "lowest τ": -np.arange(len(parts))}


def main() -> None:
    """Print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    scores: dict[str, list[float]] = {}
    for seed in range(chosen.seeds):
        for similar, label in planted(seed):
            values = similar[np.triu_indices(len(similar), 1)]
            taus = np.unique(np.append(np.quantile(values[values > 0], np.linspace(0.2, 0.95, 16)), 0.0))
            parts = [part for part in (leiden(similar, float(tau)) for tau in taus) if part.k >= 2]
            truth = [adjusted_rand_score(label, apart(part.labels)) for part in parts] or [0.0]
            for rule, merit in merits(similar, parts).items():
                scores.setdefault(rule, []).append(truth[int(np.argmax(merit))] if parts else 0.0)
            scores.setdefault("best possible", []).append(max(truth))
    print(f"{len(scores['silhouette'])} planted targets\n{'rule':<40}{'mean ARI':>10}{'> .9':>8}")
    report = {rule: {"mean_ari": round(float(np.mean(v)), 3), "found": round(float(np.mean(np.array(v) > 0.9)), 3)}
              for rule, v in scores.items()}
    for rule, row in report.items():
        print(f"{rule:<40}{row['mean_ari']:>10.3f}{row['found']:>8.3f}")
    tell({"benchmark": "threshold", "targets": len(scores["silhouette"]), "rules": report}, chosen.json)


if __name__ == "__main__":
    main()
