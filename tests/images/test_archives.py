"""Images from files: archives saved by docker and podman, OCI archives and layouts, and plain folders."""

import gzip
import hashlib
import json
import os
import stat
import tarfile

import pytest
from layer_archives import config_of, digest_of, entry, link, tar

from hera_utils.errors import ResourceError, SettingsError
from hera_utils.images.archives import import_archive, import_from_program
from hera_utils.images.config import UnreadableImage
from hera_utils.images.manifest import NoSuchPlatform, this_platform
from hera_utils.images.root_folder import import_folder
from hera_utils.images.store import Store

BASE = tar(entry("etc"), entry("etc/release", "1\n"))
TOOL = tar(entry("bin"), entry("bin/tool", "#!/bin/sh\n", mode=0o755))
MACHINE = this_platform().split("/")[1]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "state" / "images")


def config(*layers, **run):
    data = json.loads(config_of(*layers, **run)[0])
    data["architecture"] = run.pop("architecture", MACHINE)
    return json.dumps(data).encode()


def write_tar(path, files, links=()):
    path.write_bytes(tar(*[entry(name, data) for name, data in files.items()], *[link(*pair) for pair in links]))
    return path


def write_folder(path, files):
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def saved_by_docker(layers=(BASE, TOOL), tags=("tool:1",), document=None):
    """An archive as docker saved it before version 25: a layer is LAYER/layer.tar."""
    document = document or config(*layers, Cmd=["/bin/tool"])
    name = f"{hashlib.sha256(document).hexdigest()}.json"
    files = {f"layer{number}/layer.tar": layer for number, layer in enumerate(layers)}
    manifest = [{"Config": name, "RepoTags": list(tags) or None, "Layers": list(files)}]
    return {name: document, **files, "manifest.json": json.dumps(manifest).encode()}


def oci(layers=(BASE, TOOL), annotations=None, document=None, pack=gzip.compress):
    document = document or config(*layers, Cmd=["/bin/tool"])
    files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}

    def blob(data, media_type, **more):
        files[f"blobs/{digest_of(data).replace(':', '/')}"] = data
        return {"mediaType": media_type, "digest": digest_of(data), "size": len(data), **more}

    manifest = {
        "schemaVersion": 2,
        "config": blob(document, "application/vnd.oci.image.config.v1+json"),
        "layers": [blob(pack(layer), "application/vnd.oci.image.layer.v1.tar+gzip") for layer in layers],
    }
    more = {"annotations": annotations} if annotations else {}
    entry_of_index = blob(json.dumps(manifest).encode(), "application/vnd.oci.image.manifest.v1+json", **more)
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [entry_of_index]}).encode()
    return files


def contents(image):
    return {
        str(path.relative_to(folder)): path.read_text()
        for folder in image.layers
        for path in folder.rglob("*")
        if path.is_file()
    }


EXPECTED = {"etc/release": "1\n", "bin/tool": "#!/bin/sh\n"}


def test_what_docker_saves(store, tmp_path):
    path = write_tar(tmp_path / "x.tar", saved_by_docker())
    seen = []
    (image,) = import_archive(path, store, progress=lambda *step: seen.append(step))
    assert image.reference == "docker.io/library/tool:1"
    assert contents(image) == EXPECTED
    assert image.config.cmd == ("/bin/tool",)
    assert store.find("docker.io/library/tool:1") == image
    assert seen == [("docker.io/library/tool:1", number, 2) for number in range(3)]


def test_a_layer_that_docker_wrote_as_a_link(store, tmp_path):
    files = saved_by_docker((BASE, BASE))
    del files["layer1/layer.tar"]
    (image,) = import_archive(
        write_tar(tmp_path / "x.tar", files, [("layer1/layer.tar", "../layer0/layer.tar")]), store
    )
    assert len(image.layers) == 2


@pytest.mark.parametrize("pack", [gzip.compress, bytes])
def test_a_compressed_archive_and_a_folder_of_it(store, tmp_path, pack):
    path = write_tar(tmp_path / "x.tar", saved_by_docker())
    path.write_bytes(pack(path.read_bytes()))
    (image,) = import_archive(path, store)
    (again,) = import_archive(write_folder(tmp_path / "folder", saved_by_docker()), store)
    assert contents(image) == contents(again) == EXPECTED
    assert list(store.scratch.iterdir()) == []


def test_an_oci_archive_and_an_oci_layout(store, tmp_path):
    files = oci(annotations={"org.opencontainers.image.ref.name": "latest"})
    (image,) = import_archive(write_tar(tmp_path / "x.tar", files), store, name="lab/tool:2")
    assert image.reference == "docker.io/lab/tool:2"
    assert contents(image) == EXPECTED
    (again,) = import_archive(write_folder(tmp_path / "layout", files), store, name="lab/tool:3")
    assert again.layers == image.layers
    assert again.digest == image.digest == json.loads(files["index.json"])["manifests"][0]["digest"]


def test_names_that_an_oci_archive_gives(store, tmp_path):
    files = oci(
        annotations={"io.containerd.image.name": "ghcr.io/lab/tool:2", "org.opencontainers.image.ref.name": "2"}
    )
    (image,) = import_archive(write_tar(tmp_path / "x.tar", files), store)
    assert image.reference == "ghcr.io/lab/tool:2"


def test_an_image_without_a_name_wants_one(store, tmp_path):
    for files in (saved_by_docker(tags=()), oci(annotations={"org.opencontainers.image.ref.name": "latest"}), oci()):
        with pytest.raises(SettingsError, match="has no name"):
            import_archive(write_tar(tmp_path / "x.tar", files), store)


def test_an_image_for_another_machine(store, tmp_path):
    document = config(BASE, TOOL, architecture="s390x")
    for files in (saved_by_docker(document=document), oci(document=document)):
        with pytest.raises(NoSuchPlatform, match=r"does not exist for .*only for linux/s390x"):
            import_archive(write_tar(tmp_path / "x.tar", files), store, name="tool")
    (image,) = import_archive(tmp_path / "x.tar", store, name="tool", platform="linux/s390x")
    assert image.config.architecture == "s390x"


def without(files, name):
    return {key: data for key, data in files.items() if name not in key}


def changed(files, name, data):
    return {key: data if name in key else old for key, old in files.items()}


BAD = {
    "nothing": ({"a": b"1"}, "neither a manifest.json nor an index.json"),
    "no list": ({"manifest.json": b"{}"}, "no list of images"),
    "an empty list": ({"manifest.json": b"[]"}, "no list of images"),
    "no JSON": ({"manifest.json": b"["}, "is not JSON"),
    "deep JSON": ({"manifest.json": b"[" * 100_000}, "is not JSON"),
    "no layers": ({"manifest.json": b'[{"Config": "a"}]'}, "does not say what its images consist of"),
    "a path outside": (
        {"manifest.json": b'[{"Config": "/etc/passwd", "RepoTags": ["a"], "Layers": ["/etc/passwd"]}]'},
        "there is no /etc/passwd",
    ),
    "a path upwards": (
        {"manifest.json": b'[{"Config": "../../etc/passwd", "RepoTags": ["a"], "Layers": ["a"]}]'},
        "there is no",
    ),
    "a layer is missing": (without(saved_by_docker(), "layer1"), "there is no layer1/layer.tar"),
    "a layer is another": (changed(saved_by_docker(), "layer1", BASE), "layer 2 of the image is damaged"),
    "a config of another": (changed(saved_by_docker(), ".json", b"{}"), ""),
    "a blob is another": (
        changed(oci(), json.loads(oci()["index.json"])["manifests"][0]["digest"][7:], b"{}"),
        "is not what its name says",
    ),
    "a layer is less": (saved_by_docker(document=config(BASE)), "its config names 1"),
}


# A user who names a folder may read every file that its documents name, so paths that lead out are refused in archives only.
BAD_FILES = [("tar", name) for name in BAD] + [("folder", name) for name in BAD if not name.startswith("a path")]


@pytest.mark.parametrize(("kind", "name"), BAD_FILES)
def test_a_bad_archive_is_a_sentence(store, tmp_path, name, kind):
    files, sentence = BAD[name]
    path = write_tar(tmp_path / "x.tar", files) if kind == "tar" else write_folder(tmp_path / "x", files)
    with pytest.raises((UnreadableImage, ResourceError)) as error:
        import_archive(path, store, name="x")
    assert sentence in str(error.value)
    assert store.images() == []


def test_links_of_an_archive_lead_nowhere(store, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text('[{"Config": "c", "RepoTags": ["a"], "Layers": ["l"]}]')
    for target in (str(secret), "../secret", "manifest.json"):
        path = write_tar(tmp_path / "x.tar", {"a": b"1"}, [("manifest.json", target)])
        with pytest.raises(UnreadableImage, match="neither a manifest"):
            import_archive(path, store, name="x")


def test_a_header_without_end_is_not_read(store, tmp_path):
    header = tarfile.TarInfo("x")
    header.type, header.size = b"x", 1 << 33
    (tmp_path / "x.tar").write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
    with pytest.raises(UnreadableImage, match="impossible size"):
        import_archive(tmp_path / "x.tar", store)


def test_no_file_and_no_archive(store, tmp_path):
    with pytest.raises(ResourceError, match="cannot be read"):
        import_archive(tmp_path / "nothing", store)
    (tmp_path / "x").write_text("hello")
    with pytest.raises(UnreadableImage, match="is no archive of an image"):
        import_archive(tmp_path / "x", store)


@pytest.fixture
def files_of_a_container(tmp_path):
    top = tmp_path / "root"
    (top / "bin").mkdir(parents=True)
    (top / "bin" / "tool").write_text("#!/bin/sh\n")
    (top / "bin" / "tool").chmod(0o755)
    (top / "sh").symlink_to("/bin/tool")
    os.link(top / "bin" / "tool", top / "again")
    os.mkfifo(top / "pipe")
    return top


def test_a_plain_folder(store, files_of_a_container):
    run = {"Cmd": ["/bin/tool"], "Env": ["A=1"], "WorkingDir": "/bin", "User": "7"}
    image = import_folder(files_of_a_container, store, name="mine", run=run)
    assert image.reference == "docker.io/library/mine:latest"
    (layer,) = image.layers
    assert sorted(os.listdir(layer)) == ["again", "bin", "sh"]
    assert os.path.samefile(layer / "again", layer / "bin" / "tool")
    assert stat.S_IMODE(os.stat(layer / "bin" / "tool").st_mode) == 0o755
    assert os.readlink(layer / "sh") == "/bin/tool"
    assert (image.config.cmd, image.config.user, image.config.workdir) == (("/bin/tool",), "7", "/bin")
    assert import_folder(files_of_a_container, store, name="mine", run=run).digest == image.digest
    assert len(list((store.folder / "layers").iterdir())) == 1
    (files_of_a_container / "bin" / "tool").write_text("changed")
    assert import_folder(files_of_a_container, store, name="mine", run=run).digest != image.digest


def test_a_plain_folder_with_a_reserved_name(store, files_of_a_container):
    (files_of_a_container / ".wh.x").touch()
    with pytest.raises(ResourceError, match=r"names that begin with .wh. mean absent files"):
        import_folder(files_of_a_container, store, name="mine", run={})


def test_from_docker_and_podman(store, tmp_path, monkeypatch):
    archive = write_tar(tmp_path / "x.tar", saved_by_docker(tags=("other:7",)))
    for program in ("docker", "podman"):
        (tmp_path / program).write_text(
            "#!/bin/sh\n"
            '[ "$1" = save ] || exit 9\n'
            "for name; do :; done\n"
            '[ "$name" = tool ] || { echo "No such image: $name" >&2; exit 1; }\n'
            f"exec /bin/cat {archive}\n"
        )
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    for program in ("docker", "podman"):
        (image,) = import_from_program(program, "tool", store)
        assert image.reference == "docker.io/library/tool:latest"
        assert contents(image) == EXPECTED
        with pytest.raises(ResourceError, match=f"{program} does not give the image other: No such image: other"):
            import_from_program(program, "other", store)
        assert list(store.scratch.iterdir()) == []
    (tmp_path / "docker").unlink()
    with pytest.raises(ResourceError, match="there is no program docker"):
        import_from_program("docker", "tool", store)
