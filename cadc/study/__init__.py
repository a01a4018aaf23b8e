"""A study: one question asked of one pool; its settings, its files, what was decided about it."""

from cadc.study.config import PARTS, StudyConfig
from cadc.study.files import file_digest, read_about, replacing, write_array, write_json, write_tensors
from cadc.study.jobs import JOBS, Job
from cadc.study.study import Study, as_asked_before, cache_root, identity_of

__all__ = ["JOBS", "PARTS", "Job", "Study", "StudyConfig", "as_asked_before", "cache_root", "file_digest",
           "identity_of", "read_about", "replacing", "write_array", "write_json", "write_tensors"]
