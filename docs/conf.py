"""How Sphinx builds the documentation: ``make docs``, without a network."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import seqpipe

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))

# Examples that track runs leave them in a folder of their own.
os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{tempfile.mkdtemp(prefix='seqpipe-docs-')}/mlflow.db"

project = "seqpipe"
author = "The seqpipe developers"
copyright = author
version = release = seqpipe.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "api_members",
    "catalogue",
    "hook_reference",
    "operations_reference",
    "parameter_groups",
    "shown_code",
]
exclude_patterns = ["_build", "_templates", "examples"]
templates_path = ["_templates"]
default_role = "autolink"

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

# Blocks of generated code are cut with an ellipsis.
suppress_warnings = ["misc.highlighting_failure"]

autosummary_generate = True
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_attributes_as_param_list = True

sphinx_gallery_conf = {
    "examples_dirs": ["examples/tutorials", "examples/gallery"],
    "gallery_dirs": ["tutorials", "gallery"],
    "filename_pattern": r"\.py$",
    "within_subsection_order": "gallery_figures.StatedOrder",
    "image_scrapers": ("matplotlib", "gallery_figures.last_figure"),
    "ignore_repr_types": r"matplotlib",
    "min_reported_time": 1,
    "download_all_examples": False,
    "show_signature": False,
    "remove_config_comments": True,
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "seqpipe"
html_static_path = ["_static"]
html_css_files = ["seqpipe.css"]
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "seqpipe"},
    "header_links_before_dropdown": 6,
    "navbar_persistent": ["search-button"],
    "navbar_end": ["theme-switcher"],
    "show_prev_next": True,
    "navigation_depth": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {name: [] for name in ("index", "install", "quickstart", "saving", "faq", "compare", "changelog")}
