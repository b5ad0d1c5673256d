"""Writes tars of layers entry by entry, well-formed or not, and images made of them."""

import gzip
import hashlib
import io
import json
import tarfile

from hera_utils.images.config import ImageConfig


def digest_of(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def entry(name, content=None, **more):
    """An entry: a file with `content`, a folder without. more: `type`, `linkname`, `mode`, `uid`, `gid`, `mtime` as in a TarInfo."""
    info = tarfile.TarInfo(name)
    data = content.encode() if isinstance(content, str) else content or b""
    info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
    info.mode = 0o755 if content is None else 0o644
    info.mtime = 1_600_000_000
    for key, value in more.items():
        setattr(info, key, value)
    if info.type == tarfile.REGTYPE:
        info.size = len(data)
    return info, data


def link(name, target, **more):
    return entry(name, type=tarfile.SYMTYPE, linkname=target, **more)


def hard_link(name, target):
    return entry(name, type=tarfile.LNKTYPE, linkname=target)


def tar(*entries, format=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def config_of(*tars, **run):
    """The config of an image with these layers: (its JSON, the parsed config)."""
    document = {
        "architecture": "amd64",
        "os": "linux",
        "config": run,
        "rootfs": {"type": "layers", "diff_ids": [digest_of(data) for data in tars]},
    }
    data = json.dumps(document).encode()
    return data, ImageConfig.parse(data)


def add_image(store, folder, reference, *tars, packed=gzip.compress, **run):
    """Add an image to a store; its blobs are written as files in `folder` first."""
    data, config = config_of(*tars, **run)
    with store.hold_content():
        store.add_blob(digest_of(data), data)
        for number, layer in enumerate(tars):
            file = folder / f"layer-{number}"
            file.write_bytes(packed(layer))
            store.add_layer(config, number, file)
        return store.add_image(reference, digest=digest_of(data), config_digest=digest_of(data))
