"""What a task leaves as an output may be a link out of the volume: the run's list of files tells nothing of what it leads to."""

from pathlib import Path

from hera_utils import Layout, writes
from hera_utils.execution.declared_files import DeclaredFiles, file_uses
from hera_utils.runs.file_digests import WRITTEN


class Written(Layout):
    @writes
    def table(self, n: int) -> str:
        return f"out/{n}.csv"


def test_no_digest_of_what_a_link_leads_to(tmp_path: Path) -> None:
    from hera_utils import listed

    out = tmp_path / "volume" / "out"
    out.mkdir(parents=True)
    (tmp_path / "secret").write_text("the user's")
    (out / "1.csv").write_text("1\n")
    (out / "2.csv").symlink_to(tmp_path / "secret")
    (out / "3.csv").symlink_to("1.csv")
    files = DeclaredFiles(Written(), tmp_path / "volume", tmp_path)
    uses = file_uses(files, listed([{"n": n} for n in (1, 2, 3)]))
    assert [(use.path, use.use) for use in uses] == [("out/1.csv", WRITTEN), ("out/3.csv", WRITTEN)]
