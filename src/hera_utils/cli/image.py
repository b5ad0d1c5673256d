"""`hera-utils image`: the container images of this machine, which tasks start from. They need no Docker."""

from __future__ import annotations

import shlex
import time
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hera_utils.cli.options import FullSentenceGroup, context, given_settings, output_option, settings_options
from hera_utils.cli.terminal import print_json, print_line, print_note, print_table
from hera_utils.errors import HeraUtilsError, ResourceError, SettingsError

if TYPE_CHECKING:
    from hera_utils.images.store import Store, StoredImage

Json = dict[str, Any]


def _complete_name(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The names of images that begin with the typed text, for the shell's completion."""
    from hera_utils.images.store import Store
    from hera_utils.settings.sources import read_settings

    try:
        images = Store(Path(read_settings(given_settings(ctx)).state) / "images").images()
        return [name for image in images if (name := _short_name(image)).startswith(incomplete)]
    except (HeraUtilsError, OSError):
        return []


@click.group(cls=FullSentenceGroup)
def command() -> None:
    """The container images of this machine: pulled from registries or imported from files, without Docker.

    \b
    hera-utils image pull python:3.13-slim
    hera-utils image import tool.tar                      what docker save wrote, an OCI archive or layout
    hera-utils image import docker://tool:dev             what docker (or podman) has on this machine
    hera-utils image import ./rootfs --name tool --cmd /bin/tool
    hera-utils image ls

    A task whose image is not here pulls it by itself.
    """


@command.command("ls")
@output_option("name", "json")
@settings_options
def ls(output: str) -> int:
    """List the images, by name."""
    from hera_utils.spans import rough_span, size_in_words

    images = _store().images()
    if output == "json":
        print_json([_document(image) for image in images])
    elif output == "name":
        for image in images:
            print_line(_short_name(image))
    elif images:
        now = time.time()
        lines = [
            (
                _short_name(image),
                image.digest.partition(":")[2][:12],
                image.config.platform,
                size_in_words(image.size),
                f"{rough_span(now - image.used)} ago",
            )
            for image in images
        ]
        print_table(("image", "digest", "platform", "size", "used"), lines)
    else:
        print_note("there is no image on this machine; pull one: hera-utils image pull NAME")
    return 0


@command.command("pull")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--image-platform", "kind", metavar="OS/ARCH", help="For another kind of machine, e.g. linux/arm64.")
@output_option("name", "json")
@settings_options
def pull(names: tuple[str, ...], kind: str | None, output: str) -> int:
    """Pull images from their registries. What is here already, and is still what its name means, is not pulled again.

    Logins are those of docker and podman (docker login, podman login), mirrors and proxies those of the environment.
    """
    from hera_utils.cli.pull_display import PullDisplay
    from hera_utils.images.login import Logins
    from hera_utils.images.pull import pull as pull_image
    from hera_utils.images.reference import Reference

    _check_platform(kind)
    references = [Reference.parse(name) for name in names]
    store, logins = _store(create=True), Logins.of_this_user()
    images = []
    for reference in references:
        with PullDisplay(reference.familiar) as display:
            image = pull_image(reference, store, platform=kind, logins=logins, progress=display.update, always=True)
        images.append(image)
        if output == "text":
            _announce_image(image)
    _print(images, output)
    return 0


@command.command("import")
@click.argument("source", metavar="SOURCE")
@click.option(
    "--name",
    default="",
    metavar="NAME",
    help="The image's name; for a plain folder, or one that the archive does not give.",
)
@click.option(
    "--image-platform",
    "kind",
    default="",
    metavar="OS/ARCH",
    help="Which image of an archive for several kinds of machines.",
)
@click.option("--entrypoint", metavar="COMMAND", help="Of a plain folder: the program that the image runs.")
@click.option(
    "--cmd",
    metavar="COMMAND",
    help="Of a plain folder: what runs when a task gives no command, or the program's arguments.",
)
@click.option(
    "--env", multiple=True, metavar="NAME=VALUE", help="Of a plain folder: an environment variable; may be repeated."
)
@click.option("--workdir", metavar="PATH", help="Of a plain folder: the folder in which it runs.")
@click.option("--user", metavar="USER", help="Of a plain folder: the user who runs it.")
@output_option("name", "json")
@settings_options
def import_(source: str, name: str, kind: str, output: str, **run: Any) -> int:
    """Import an image from a file, a folder, or another program.

    \b
    FILE.tar        what `docker save` or `podman save` wrote, or an OCI archive; also compressed
    FOLDER          an OCI layout, or the files of a container (/bin, /etc, /usr…)
    docker://NAME   an image that docker has on this machine; podman://NAME too
    """
    from hera_utils.cli.pull_display import PullDisplay
    from hera_utils.images import archives
    from hera_utils.images.pull import PullProgress

    _check_platform(kind)
    program, scheme, image = source.partition("://")
    given = [f"--{key}" for key, value in run.items() if value]
    folder = Path(source)
    is_plain = not scheme and folder.is_dir() and not archives.is_layout(folder)
    if given and not is_plain:
        raise SettingsError(
            f"{' and '.join(given)} are for plain folders: {source} says itself what it runs", fix="leave them out"
        )
    if scheme and (program not in archives.PROGRAMS or not image):
        raise SettingsError(f"`{source}` is not a source of images", fix="write docker://NAME or podman://NAME")
    with PullDisplay(source, "is read") as display:

        def advance(_: str, done: int, layers: int) -> None:
            display.update(PullProgress(source, unpacked=done, layers=layers))

        if scheme:
            store = _store(create=True)
            images = archives.import_from_program(program, image, store, name=name, progress=advance)
        elif is_plain:
            images = [_import_folder(folder, name, run)]
        else:
            images = archives.import_archive(folder, _store(create=True), name=name, platform=kind, progress=advance)
    if output == "text":
        for image_ in images:
            _announce_image(image_)
    _print(images, output)
    return 0


@command.command("inspect")
@click.argument("name", metavar="NAME", shell_complete=_complete_name)
@output_option("json")
@settings_options
def inspect(name: str, output: str) -> int:
    """Show what an image runs, and what it consists of."""
    from hera_utils.spans import size_in_words

    store = _store()
    image = _find(store, name)
    if output == "json":
        print_json(_document(image))
        return 0
    config = image.config
    for label, value in (
        ("name", image.reference),
        ("digest", image.digest),
        ("platform", config.platform),
        ("entrypoint", shlex.join(config.entrypoint)),
        ("cmd", shlex.join(config.cmd)),
        ("workdir", config.workdir),
        ("user", config.user),
        ("created", config.created),
        ("size", size_in_words(image.size)),
    ):
        if value:
            print_line(f"{label + ':':<12}{value}")
    for title, pairs in (("env", config.env), ("labels", config.labels)):
        for number, (key, value) in enumerate(pairs.items()):
            print_line(f"{title + ':' if not number else '':<12}{key}={value}")
    for number, chain in enumerate(config.chain_ids):
        layer = store.layer(chain)
        if layer is not None:
            remarks = f"  ({'; '.join(layer.remarks)})" if layer.remarks else ""
            print_line(
                f"{'layers:' if not number else '':<12}{layer.diff_id[7:19]}  {size_in_words(layer.size)}{remarks}"
            )
    return 0


@command.command("rm")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=_complete_name)
@settings_options
def rm(names: tuple[str, ...]) -> int:
    """Remove images. Layers that other images have stay; an image that a running pod uses is not removed."""
    from hera_utils.local_platform.pods.image_pulls import layers_in_use
    from hera_utils.spans import size_in_words

    state, store = Path(context().state), _store()
    images = [_find(store, name) for name in names]
    for image in images:
        collected = store.remove(image.reference, lambda: layers_in_use(state))
        print_line(f"{_short_name(image)} removed, {size_in_words(collected.size)} freed")
    return 0


def _check_platform(kind: str | None) -> None:
    if kind and not all(2 <= len(kind.split("/")) <= 3 and part.isalnum() for part in kind.split("/")):
        raise SettingsError(f"`{kind}` is not a kind of machine", fix="write it as in linux/amd64 or linux/arm64/v8")


def _store(*, create: bool = False) -> Store:
    from hera_utils.images.store import Store
    from hera_utils.local_platform.state_folder import check_state_folder, open_state_folder

    state = Path(context().state)
    if create:
        open_state_folder(state)
    else:
        check_state_folder(state)
    return Store(state / "images")


def _find(store: Store, name: str) -> StoredImage:
    """The image with this name, or whose digest begins so (as `ls` shows it)."""
    from hera_utils.images.reference import InvalidImageName, Reference

    images = {image.reference: image for image in store.images()}
    by_digest = {
        i.reference: i for i in images.values() if len(name) >= 6 and i.digest.partition(":")[2].startswith(name)
    }
    if len({image.digest for image in by_digest.values()}) == 1 and len(by_digest) == 1:
        return next(iter(by_digest.values()))
    try:
        image = images.get(str(Reference.parse(name)))
    except InvalidImageName:
        if not by_digest:
            raise
        image = None
    if image is None:
        near = get_close_matches(name, [_short_name(image) for image in images.values()], 1, 0.6)
        fix = f"did you mean {near[0]}?" if near else f"pull it: hera-utils image pull {name}"
        raise ResourceError(f"there is no image {name} on this machine", fix=fix)
    return image


def _import_folder(folder: Path, name: str, run: Json) -> StoredImage:
    from hera_utils.images.root_folder import import_folder

    if not name:
        raise SettingsError(f"the image from {folder} needs a name", fix="give it one: --name NAME")
    for pair in run["env"]:
        if not pair.partition("=")[0] or "=" not in pair:
            raise SettingsError(f"--env {pair} sets no variable", fix="write --env NAME=VALUE")
    commands = {}
    for key in ("entrypoint", "cmd"):
        try:
            commands[key] = shlex.split(run[key] or "")
        except ValueError as error:
            raise SettingsError(f"--{key} cannot be split into words ({error})", fix="quote it as in a shell") from None
    document = {
        "Entrypoint": commands["entrypoint"],
        "Cmd": commands["cmd"],
        "Env": list(run["env"]),
        "WorkingDir": run["workdir"],
        "User": run["user"],
    }
    config = {key: value for key, value in document.items() if value}
    return import_folder(folder, _store(create=True), name=name, run=config)


def _short_name(image: StoredImage) -> str:
    from hera_utils.images.reference import Reference

    return Reference.parse(image.reference).familiar


def _announce_image(image: StoredImage) -> None:
    from hera_utils.spans import size_in_words

    print_line(f"{_short_name(image)}  {image.digest}  {size_in_words(image.size)}")


def _print(images: list[StoredImage], output: str) -> None:
    if output == "json":
        print_json([_document(image) for image in images])
    elif output == "name":
        for image in images:
            print_line(_short_name(image))


def _document(image: StoredImage) -> Json:
    config = image.config
    return {
        "name": image.reference,
        "digest": image.digest,
        "platform": config.platform,
        "size": image.size,
        "added": image.added,
        "used": image.used,
        "config": {
            "entrypoint": list(config.entrypoint),
            "cmd": list(config.cmd),
            "env": dict(config.env),
            "workdir": config.workdir,
            "user": config.user,
            "labels": dict(config.labels),
            "created": config.created,
        },
        "layers": [str(layer) for layer in image.layers],
    }
