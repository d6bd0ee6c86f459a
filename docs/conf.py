"""How Sphinx builds the documentation: `make docs`. Nothing is fetched, and a warning is an error."""

from __future__ import annotations

import antrax

project = "antrax"
author = "antrax developers"
project_copyright = author
release = antrax.__version__
version = release.split("+")[0]

extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
autosummary_generate = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# The API reference has one page, so a table of the members of each class would have no pages to link to.
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
autodoc_member_order = "groupwise"
autodoc_typehints = "none"
autodoc_class_signature = "mixed"

html_theme = "furo"
html_title = f"antrax {version}"
html_static_path: list[str] = []
