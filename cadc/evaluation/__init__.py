"""Retrain and compare: does the curriculum train better, and would we know if it did not? (METHOD §6)"""

from cadc.evaluation.arms import SELECTORS, Chosen, Offer, Selector
from cadc.evaluation.request import Request, read_request, request_evaluation
from cadc.evaluation.results import EvaluationResult, summary
from cadc.evaluation.run import read_result, read_results, run_evaluation
from cadc.evaluation.settings import EvaluationSettings
from cadc.evaluation.statistics import Difference, paired
from cadc.evaluation.verdict import compare, verdict

__all__ = ["SELECTORS", "Chosen", "Difference", "EvaluationResult", "EvaluationSettings", "Offer", "Request",
           "Selector", "compare", "paired", "read_request", "read_result", "read_results", "request_evaluation",
           "run_evaluation", "summary", "verdict"]
