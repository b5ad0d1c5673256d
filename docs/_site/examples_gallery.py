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

from links_to_repository import rewritten

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES, LAID_OUT = ROOT / "examples", ROOT / "build" / "gallery"
# Folders of examples/, and what their part of the gallery is called: else as their README is.
SECTIONS = {"experiment": "", "heat_equation": "", "federalist": "", "searches": "Searches"}
FILES = ("inputs.py", "layout.py", "environment.py", "workflow.py")  # of an experiment, beside experiment.py
HEADER = """\
Examples
========

Real experiments, each of several files, then searches, and small workflows of one file. All of them were run for this site on
the local platform; what they printed is below their code, and the pictures are those of their reports.
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
        "subsection_order": [os.path.relpath(LAID_OUT / name, docs) for name in (*SECTIONS, "small")],
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
    for name, title in SECTIONS.items():
        folder = EXAMPLES / name
        others = shutil.ignore_patterns(
            "runs", "__pycache__", "README.md", "by_hand.py", *(path.name for path in scripts(folder))
        )
        shutil.copytree(folder, LAID_OUT / name, dirs_exist_ok=True, ignore=others)
        _write(LAID_OUT / name / "GALLERY_HEADER.rst", _heading(title or _title_of(folder), "-"))
        about = (folder / "README.md").read_text(encoding="utf-8")
        _write(LAID_OUT / name / "about.md", rewritten(about, folder, ROOT / "docs" / "gallery" / name))
        for script in scripts(folder):
            text = _experiment(name) if script.name == "experiment.py" else _script(script)
            _write(LAID_OUT / name / script.name, text)
    _write(LAID_OUT / "small" / "GALLERY_HEADER.rst", _heading("Small workflows", "-"))
    for script in sorted(EXAMPLES.glob("*.py")):
        _write(LAID_OUT / "small" / script.name, _script(script))


def scripts(folder: Path) -> list[Path]:
    """What can be run there."""
    return [path for path in sorted(folder.glob("*.py")) if path.name not in (*FILES, "by_hand.py")]


def _title_of(folder: Path) -> str:
    return (folder / "README.md").read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def _script(path: Path) -> str:
    """A script, the first words of its docstring as a title: up to a colon, a full stop or a question mark."""
    text = path.read_text(encoding="utf-8")
    first = re.match(r'"""(.+?)(\?|[:.](?=\s|"))\s*', text)
    assert first, f"{path}: a docstring that begins with a title and `:`, `.` or `?`"
    title, rest = first[1] + first[2].strip(":."), text[first.end() :]
    return f'"""\n{_heading(title, "=")}\n{rest[:1].upper()}{rest[1:]}'


def _experiment(name: str) -> str:
    """Its experiment.py, after its README and the files that it puts together."""
    title = _title_of(EXAMPLES / name)
    code = (EXAMPLES / name / "experiment.py").read_text(encoding="utf-8")
    code = re.sub(r'\A""".*?"""\n', "", code, flags=re.DOTALL)
    text = f".. include:: /../build/gallery/{name}/about.md\n   :parser: myst_parser.sphinx_\n   :start-line: 1\n\n"
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
    is_experiment = "main(" in Path(script["src_file"]).read_text(encoding="utf-8")
    return ["--runs", str(ROOT / "build" / "runs-of-gallery")] if is_experiment else []


def forget_modules(gallery: dict[str, Any], name: str) -> None:
    """Those of the example before: others have files of the same names."""
    for file in FILES:
        sys.modules.pop(Path(file).stem, None)


def report_picture(block: Any, block_vars: dict[str, Any], gallery: dict[str, Any]) -> str:
    """The first picture of the report of the run that the example's last block made; nothing where there is no Chromium to draw it."""
    from sphinx_gallery.scrapers import figure_rst

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if block[0] != "code" or chromium is None:
        return ""
    picture, report, card = (
        Path(next(block_vars["image_path_iterator"])),
        LAID_OUT / "report.html",
        LAID_OUT / "card.html",
    )
    ours = [sys.executable, "-m", "hera_utils"]
    for command in ([*ours, "watch", "@latest"], [*ours, "report", "@latest", "--output", str(report)]):
        subprocess.run(command, check=True, capture_output=True, timeout=300)
    card.write_text(_card(report.read_text(encoding="utf-8")), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars"]
    flags += ["--force-device-scale-factor=2", "--window-size=640,400", f"--screenshot={picture}"]
    subprocess.run([chromium, *flags, card.as_uri()], check=True, capture_output=True, timeout=300)
    return str(figure_rst([str(picture)], gallery["src_dir"]))


def _card(report: str) -> str:
    """The report with its first picture alone: the plots, else the timeline."""
    alone = """
      const chosen = document.querySelector("#plots .card") || document.querySelector("#timeline");
      chosen.querySelectorAll(".bar, .saving").forEach((one) => one.remove());
      document.body.replaceChildren(chosen);
      document.body.style.padding = "8px";
    """
    without_policy = re.sub(r"<meta http-equiv[^>]*>", "", report, count=1)
    return without_policy.replace("</body>", f"<script>{alone}</script></body>")
