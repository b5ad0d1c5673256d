"""One reader of imports, for what a fingerprint covers, for what a manifest holds and for what the preflight looks for."""

import pytest

from hera_utils.provenance.modules import Sources, sources_of

PACKAGE = {
    "experiment.py": "import model.steps\nfrom helpers_of_mine import draw\n",
    "helpers_of_mine.py": "",
    "model/__init__.py": "from .constants import G\n",
    "model/constants.py": "",
    "model/steps.py": "from . import mesh\nfrom .parts.solver import solve\n",
    "model/mesh.py": "",
    "model/parts/__init__.py": "",
    "model/parts/solver.py": "from ..physics import law\nfrom ....outside import nothing\n",
    "model/physics.py": "",
    "model/unused.py": "",
}


@pytest.fixture
def folder(tmp_path):
    for name, content in PACKAGE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def test_a_fingerprint_covers_what_the_manifest_holds(folder):
    held = {
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in sources_of(folder / "experiment.py")
    }
    covered = set(Sources(folder)({"script": {"command": ["python"], "source": PACKAGE["experiment.py"]}}))
    assert held - {"experiment"} == covered
    assert "model.physics" in covered
    assert not {"model.unused", "outside"} & held


def test_a_script_that_is_run_as_a_module_imports_from_its_own_folder(folder):
    (folder / "main.py").write_text("from .helpers_of_mine import draw\n")
    assert set(sources_of(folder / "main.py")) == {"main.py", "helpers_of_mine.py"}
    assert set(Sources(folder)({"script": {"command": ["python"], "source": "from .helpers_of_mine import draw"}})) == {
        "helpers_of_mine"
    }


def test_a_package_comes_before_a_module_of_its_name(folder):
    (folder / "model.py").write_text("")
    assert "model/__init__.py" in sources_of(folder / "experiment.py")
    assert "model.py" not in sources_of(folder / "experiment.py")


def test_what_cannot_be_parsed_is_held_all_the_same(folder):
    (folder / "helpers_of_mine.py").write_text("def (\n")
    assert "helpers_of_mine.py" in sources_of(folder / "experiment.py")
    assert sources_of(folder / "nowhere.py") == {}
