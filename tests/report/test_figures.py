"""Figures: which artifacts are pictures, what is left out, and that a real run's report shows them."""

import io
import json
import re
import struct
import tarfile
import zlib

import pytest

from hera_utils.report import figures
from hera_utils.report.figures import LARGEST, join_pieces, kind_of, unpack_single_file
from hera_utils.report.run_folder import report_page
from hera_utils.results.results import Results
from hera_utils.runs.whole_run import load_run


def png(width=2, height=2):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + b"\xff\0\0" * width for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def packet(*members):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (png(), "image/png"),
        (b"\xff\xd8\xff\xe0rest", "image/jpeg"),
        (b"GIF89arest", "image/gif"),
        (b"RIFF0000WEBPVP8 ", "image/webp"),
        (b'<?xml version="1.0"?>\n<!-- a --><svg xmlns="x"/>', "image/svg+xml"),
        (b"<html><svg/></html>", None),
        (b"plain text", None),
        (b"", None),
    ],
)
def test_a_picture_is_known_by_its_first_bytes(content, kind):
    assert kind_of(content) == kind


def test_a_packet_gives_its_file_and_nothing_else():
    assert unpack_single_file(packet(("plot.png", png()))) == png()
    assert unpack_single_file(packet(("plot.png", png()))[:40]) == b""
    assert unpack_single_file(b"\x1f\x8bnothing") == b""
    assert unpack_single_file(packet(("big.png", b"0" * (LARGEST + 1)))) == b""


def test_what_is_too_large_is_not_read_to_its_end():
    asked = []

    def pieces():
        for number in range(100):
            asked.append(number)
            yield b"0" * (LARGEST // 2)

    assert join_pieces(pieces()) == b""
    assert len(asked) == 3


DRAWS = """
metadata: {generateName: draws-}
spec:
  entrypoint: main
  templates:
  - name: main
    container: {image: "python:3.11", command: [python, -c], args: ["import base64; CODE"]}
    outputs:
      artifacts:
      - {name: plain, path: /tmp/plain.png, archive: {none: {}}}
      - {name: packed, path: /tmp/packed.PNG}
      - {name: drawn, path: /tmp/drawn.svg, archive: {none: {}}}
      - {name: false, path: /tmp/false.png, archive: {none: {}}}
      - {name: table, path: /tmp/table.csv, archive: {none: {}}}
"""
SVG = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


def test_the_report_of_a_run_shows_its_figures(local_platform, tmp_path, monkeypatch):
    import yaml

    files = {
        "plain.png": png(),
        "packed.PNG": png(3),
        "drawn.svg": SVG.encode(),
        "false.png": b"text",
        "table.csv": b"a",
    }
    code = "; ".join(f"open('/tmp/{name}','wb').write({content!r})" for name, content in files.items())
    document = yaml.safe_load(DRAWS)
    for one in document["spec"]["templates"][0]["outputs"]["artifacts"]:
        one["name"] = str(one["name"]).lower()
    document["spec"]["templates"][0]["container"]["args"] = [code]
    client = local_platform.client
    name = client.create(document)["metadata"]["name"]
    assert client.wait(name, timeout=60)["status"]["phase"] == "Succeeded"
    run = load_run(client, name)
    html = report_page(client, run, Results.of_run(run))
    story = json.loads(re.search(r'id="story">(.*?)</script>', html, re.S)[1])
    assert [one["name"] for one in story["figures"]] == ["plain", "packed", "drawn"]
    assert all(one["address"].startswith("data:image/") for one in story["figures"])
    assert "img-src data:" in html
    assert "<script>alert" not in html, "a drawing's script is inside of an address, where browsers run none"
    monkeypatch.setattr(figures, "MOST", 1)
    assert [len(figures.figures_of_run(client, run)[0]), figures.figures_of_run(client, run)[1]] == [1, 3]
