"""Retrain and compare: does the curriculum train better, and would we know if it did not? (METHOD §6)"""

from cadc.evaluation.arms import ARMS
from cadc.evaluation.asking import request_evaluation
from cadc.evaluation.context import Arm, SelectionContext, TrainingRows
from cadc.evaluation.request import Request, read_request
from cadc.evaluation.results import EvaluationResult, GapClosed, at_budget, gap_closed, summary
from cadc.evaluation.run import read_result, read_results, run_evaluation
from cadc.evaluation.settings import EvaluationSettings, arms_apart
from cadc.evaluation.statistics import Difference, paired
from cadc.evaluation.verdict import against, compare, headline, verdict

__all__ = ["ARMS", "Arm", "Difference", "EvaluationResult", "EvaluationSettings", "GapClosed", "Request",
           "SelectionContext", "TrainingRows", "against", "arms_apart", "at_budget", "compare", "gap_closed",
           "headline", "paired", "read_request", "read_result", "read_results", "request_evaluation",
           "run_evaluation", "summary", "verdict"]
