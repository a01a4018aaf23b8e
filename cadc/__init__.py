"""CADC Studio: capability-attributed data curation for vision-language models (arXiv 2510.00040).

The library behind the pages and the command line. It never imports streamlit.
"""

__version__ = "0.1.0"
