"""The site: Sphinx reads the Markdown of this folder. `bash docs/build` runs it.

The pages stay plain Markdown, so that they read well on a forge, too. What only the site needs stands here.
"""

from pathlib import Path

project = "source-aifi"
html_title = "source-aifi"
copyright = "the authors of source-aifi, MIT"

extensions = ["myst_parser"]
myst_heading_anchors = 4  # page.md#a-heading, as forges have it
exclude_patterns = ["requirements.txt"]

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_last_updated_fmt = None
pygments_style = "friendly"
pygments_dark_style = "github-dark"

CONTENTS = """
```{toctree}
:hidden:
:caption: Use it

Start here <self>
add-to-airbyte
command-line
aifi
streams
aifi-migrations
airbyte-cloud
inbox
push-or-pull
state
troubleshooting
```

```{toctree}
:hidden:
:caption: Work with the data

model
data-dictionary
personal-data
deletions
dbt
sql
console
```

```{toctree}
:hidden:
:caption: Trust it

completeness
performance
image
ci-fixture
design
decisions/index
decisions/no-time-slices
decisions/digests
decisions/no-upper-bound
decisions/profiles
decisions/newest-first
```
"""


def add_contents(app, page, source):
    """The contents are the site's: in index.md they would be noise to those who read it on a forge."""
    if page == "index":
        source[0] += "\n".join(filter(is_there, CONTENTS.split("\n")))


def is_there(line):
    """Leaves out the entry of a page that is not there. One that is there and has no entry is a warning of Sphinx."""
    return not line.replace("-", "").isalpha() or (Path(__file__).parent / f"{line}.md").exists()


def setup(app):
    app.connect("source-read", add_contents)
    return {"parallel_read_safe": True}
