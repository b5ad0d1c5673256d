"""The gallery: each example of examples/ is run on this machine; its page shows its files, what it printed, and its report's picture.

sphinx-gallery knows scripts of one file. An experiment has several and a README: it is laid out in build/gallery as a folder whose
experiment.py begins with the README and shows the other files before its own code. The examples themselves know nothing of it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES, LAID_OUT = ROOT / "examples", ROOT / "build" / "gallery"
EXPERIMENTS = ("experiment", "heat_equation", "federalist")
FILES = ("inputs.py", "layout.py", "environment.py", "workflow.py")  # of an experiment, beside experiment.py
HEADER = """\
Examples
========

Real experiments, each of several files, then small workflows of one file. All of them were run for this site on the local platform; what
they printed is below their code, and the pictures are those of their reports.
"""


def configuration(docs: Path) -> dict[str, Any]:
    """The settings of sphinx-gallery. Beginning with them the examples are laid out."""
    lay_out()
    os.environ["HERA_UTILS_STATE"] = str(ROOT / "build" / "state-of-gallery")
    return {
        "examples_dirs": [os.path.relpath(LAID_OUT, docs)],
        "gallery_dirs": ["gallery"],
        "nested_sections": False,
        "filename_pattern": r"\.py$",
        "ignore_pattern": "(^|/)(" + "|".join(map(re.escape, FILES)) + ")$",
        "subsection_order": [os.path.relpath(LAID_OUT / name, docs) for name in (*EXPERIMENTS, "small")],
        "within_subsection_order": "FileNameSortKey",
        "image_scrapers": (report_picture,),
        "reset_modules": (forget_modules,),
        "reset_argv": arguments,
        "capture_repr": (),
        "abort_on_example_error": True,
        "download_all_examples": False,
        "write_computation_times": False,
        "show_signature": False,
    }


# --- the layout -----------------------------------------------------------------------------------------------------------------


def lay_out() -> None:
    """Copies the examples; what is unchanged stays as it is, so that it is not run again."""
    _write(LAID_OUT / "GALLERY_HEADER.rst", HEADER)
    for name in EXPERIMENTS:
        others = shutil.ignore_patterns("runs", "__pycache__", "README.md", "experiment.py", "by_hand.py")
        shutil.copytree(EXAMPLES / name, LAID_OUT / name, dirs_exist_ok=True, ignore=others)
        title = (EXAMPLES / name / "README.md").read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        _write(LAID_OUT / name / "GALLERY_HEADER.rst", _heading(title, "-"))
        _write(LAID_OUT / name / "experiment.py", _experiment(name, title))
    _write(LAID_OUT / "small" / "GALLERY_HEADER.rst", _heading("Small workflows", "-"))
    for script in sorted(EXAMPLES.glob("*.py")):
        title = script.stem.replace("_", " ").capitalize()
        text = script.read_text(encoding="utf-8").replace('"""', f'"""\n{_heading(title, "=")}\n', 1)
        _write(LAID_OUT / "small" / script.name, text)


def _experiment(name: str, title: str) -> str:
    """Its experiment.py, after its README and the files that it puts together."""
    code = (EXAMPLES / name / "experiment.py").read_text(encoding="utf-8")
    code = re.sub(r'\A""".*?"""\n', "", code, flags=re.DOTALL)
    text = f".. include:: /../examples/{name}/README.md\n   :parser: myst_parser.sphinx_\n   :start-line: 1\n\n"
    for file in FILES:
        text += f"{_heading(file, '-')}\n.. literalinclude:: /../examples/{name}/{file}\n   :language: python\n\n"
    text += _heading("experiment.py", "-")
    comment = "".join(f"# {line}".rstrip() + "\n" for line in text.splitlines())
    return f'"""\n{_heading(title, "=")}"""\n\n# %%\n{comment}\n{code.lstrip()}'


def _heading(title: str, line: str) -> str:
    return f"{title}\n{line * len(title)}\n"


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


# --- running --------------------------------------------------------------------------------------------------------------------


def arguments(gallery: dict[str, Any], script: dict[str, Any]) -> list[str]:
    """What follows the script's name on its command line."""
    is_experiment = Path(script["src_file"]).name == "experiment.py"
    return ["--runs", str(ROOT / "build" / "runs-of-gallery")] if is_experiment else []


def forget_modules(gallery: dict[str, Any], name: str) -> None:
    """Those of the example before: others have files of the same names."""
    for file in FILES:
        sys.modules.pop(Path(file).stem, None)


def report_picture(block: Any, block_vars: dict[str, Any], gallery: dict[str, Any]) -> str:
    """The report of the run that the example's last block made, as a picture; nothing where there is no Chromium to draw it."""
    from sphinx_gallery.scrapers import figure_rst

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if block[0] != "code" or chromium is None:
        return ""
    picture, report = Path(next(block_vars["image_path_iterator"])), LAID_OUT / "report.html"
    ours = [sys.executable, "-m", "hera_utils"]
    browser = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    for command in (
        [*ours, "watch", "@latest"],
        [*ours, "report", "@latest", "--output", str(report)],
        [*browser, "--hide-scrollbars", "--window-size=1000,700", f"--screenshot={picture}", report.as_uri()],
    ):
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    return str(figure_rst([str(picture)], gallery["src_dir"]))
