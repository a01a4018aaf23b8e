"""The words of the pages, each in one or two plain sentences; docs/glossary.md is written from this table."""

from collections.abc import Iterable
from dataclasses import dataclass

from cadc.study.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Term:
    """One word."""

    name: str
    about: str
    """What it means. Plain text without markup and without anything from a dataset."""
    section: int
    """Section of docs/method.md that has it exactly (METHOD §0 … §6)."""


def _term(name: str, about: str, section: int) -> Term:
    return Term(name=name, about=about, section=section)


TERMS: Registry[Term] = Registry("word", (
    # what goes in
    _term("pool", "The instruction data to choose from: all rows that could be trained on.", 0),
    _term("target", "The benchmark that the model should become good at. Its samples say what is asked for.", 0),
    _term("unit", "A subtask of the target: all target samples with one value of the unit column. The smallest thing "
          "that a capability is made of.", 0),
    _term("source", "Where a pool row comes from, as the pool file says: a data set inside the pool.", 0),
    _term("set aside", "A row that reading the files did not accept, with its reason: a picture that is not there, no "
          "answer, broken JSON. Nothing later sees it.", 0),
    _term("left out", "A row that was accepted and then not used: by a job because it is too long or its loss is no "
          "number, or by a filter of the curriculum.", 5),
    _term("near-duplicate", "Rows with nearly the same words and the same picture. Of such a group only one is "
          "chosen.", 5),
    # what runs
    _term("job", "One step of the computation, run in the background and kept on disk. What a job has finished is "
          "never computed again.", 1),
    _term("preset", "A complete set of choices: by what nearness is measured, how rows are picked, filtered and "
          "ordered. quick needs no gradient; studio adds whitened gradients; paper is the method of the paper.", 3),
    _term("warm-up", "A short training of a small adapter (LoRA) on a random part of the pool. Its gradients are what "
          "everything of the gradients is made of.", 1),
    _term("checkpoint", "The adapter as it was at one moment of the warm-up. Gradients are taken at each of them.", 1),
    _term("trajectory", "How the gradient of a sample or a unit moves over the checkpoints.", 2),
    _term("grounded", "Gradients of the target from which is subtracted what the words alone teach: the same questions "
          "with each other's pictures.", 2),
    _term("whitened", "Similarity in a measure in which directions that all target samples share count little. It "
          "tells target samples apart that plain gradients take for the same.", 4),
    _term("signal", "One way to say how near a pool row is to a target sample: gradients, hidden states of the base "
          "(embedding, answers), or words.", 4),
    _term("near(z, s)", "How near the pool row z is to the target unit s: the mean over the samples of s that it is "
          "nearest to. 0 is as near as any row, 1 as near as the unit's own samples are to each other.", 4),
    # what is found
    _term("capability", "A group of units that learn alike, found from their similarity and yours to name and change. "
          "Budgets are given to capabilities.", 3),
    _term("similarity", "How alike two units are, from −1 to 1: over the checkpoints by their gradients, or by another "
          "signal.", 3),
    _term("threshold τ", "Two units are linked when their similarity exceeds τ. Higher: fewer links, more and smaller "
          "groups.", 3),
    _term("resolution γ", "How finely linked units are cut into groups. Higher: more and smaller groups.", 3),
    _term("stability", "How much the groups stay the same when the samples of each unit are drawn again. 1: always the "
          "same groups; 0: no better than chance.", 3),
    _term("rival explanation", "The same units grouped by something simple: their words, answer formats or pictures. "
          "Where that gives the same groups, they may show this and no skill.", 3),
    _term("transfer", "What a short training on one unit does to the loss of another, measured. The one test of a "
          "capability that does not rest on gradients or embeddings.", 3),
    _term("influence", "How much training on a pool row should help a capability, predicted and not measured. A row "
          "belongs to the capability that it has most influence on.", 4),
    _term("self-influence", "How strongly a row pulls on the model by itself, η·‖g‖². High: the model finds it hard, "
          "because it is difficult, wrong, or off topic.", 4),
    _term("floor", "The least influence that a row must have on some capability. Rows at or below it belong to none "
          "and are never chosen.", 4),
    _term("unattributed", "A row that belongs to no capability, because its influence on each is at or below the "
          "floor.", 4),
    # what is chosen
    _term("budget", "How many rows the curriculum has, as a number or as a share of the pool.", 5),
    _term("share", "The part of the budget that a capability gets. All shares together are 100 %.", 5),
    _term("judge", "A copy of the base that trained a short while on the target alone. Its loss on a row says whether "
          "the answer is one that the target would give.", 5),
    _term("looks wrong", "A row whose answer costs the judges more than right answers of its nearest unit do: mostly "
          "wrong answers, and rows unlike anything that the target asks.", 5),
    _term("curriculum", "The chosen rows in the order in which they are trained.", 5),
    _term("stage", "A part of the curriculum that is trained before the next one.", 5),
    _term("staging", "How stages follow each other. mix: one shuffled stage. soft: the mixture shifts step by step. "
          "hard: one capability after the other.", 5),
    # what is measured
    _term("arm", "One way to choose rows that is trained and scored in a comparison: the curriculum, random rows, the "
          "whole pool, and others.", 6),
    _term("held out", "Target samples that took no part in choosing rows. Only they tell fairly whether a curriculum "
          "is better.", 6),
    _term("seed", "Every arm is trained with the same random numbers, so that arms differ by their rows only. "
          "Several seeds show how much is chance.", 6),
    _term("gap closed", "How far an arm goes on the way from random rows (0) to rows chosen by the truth (1). Only "
          "generated data have a truth.", 6),
))
"""Every word that pages use and do not explain where it stands, in the order of the way."""


def told(*names: str) -> str:
    """What these words mean, one paragraph each: for the help of a heading or a widget. Raises DataError for an unknown
    one."""
    return "\n\n".join(f"**{TERMS[name].name}**: {TERMS[name].about}" for name in names)


def first(names: Iterable[str]) -> list[Term]:
    """All words, these before the others."""
    ahead = [TERMS[name] for name in names]
    return [*ahead, *(term for term in TERMS.values() if term not in ahead)]
