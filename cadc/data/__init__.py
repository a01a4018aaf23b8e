"""Samples: read from any accepted format, checked, written for the later steps (docs/data.md)."""

from cadc.data.answers import answer_format
from cadc.data.checking import check
from cadc.data.duplicates import duplicate_groups
from cadc.data.ingestion import Ingest, ingest
from cadc.data.job import run_ingest
from cadc.data.limits import PictureLimits
from cadc.data.pictures import open_images, opened_images, picture_path
from cadc.data.reasons import Reason
from cadc.data.sample import IMAGE_TAG, Sample, Turn
from cadc.data.table import read_samples, read_table, write_samples

__all__ = ["IMAGE_TAG", "Ingest", "PictureLimits", "Reason", "Sample", "Turn", "answer_format", "check",
           "duplicate_groups", "ingest", "open_images", "opened_images", "picture_path", "read_samples", "read_table",
           "run_ingest", "write_samples"]
