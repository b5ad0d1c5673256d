"""Transfers one artifact between this machine and a store on the network: S3, Google, Azure or HDFS, through fsspec.

Runs as a separate process, `python -m hera_utils.local_platform.artifacts.object_stores`: the request is one JSON object on standard
input, the answer is one on the last line of standard output. A place is `{"kind", "at": Argo's location of that kind, "key", "secrets":
{path of the selector in the location: value}}`.

| do | also | answer |
| --- | --- | --- |
| get | path: file or folder to create | {} |
| put | path: file or folder to send | {} |
| list | | {"keys": [...]}, all keys below the key, sorted; null when the key is an object of s3 and no folder |
| remove | | {}, also when the object does not exist |
| several requests | requests: [request, …] | {"answers": [answer, …]} |

Any error: {"error": a sentence without secrets, "missing": true when the object does not exist, "full": the error's number when
this machine's disk is full}.
Source: the drivers of Argo's workflow/artifacts (what a key, a folder and a default mean), fsspec's documentation.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
import tempfile
from typing import Any
from urllib.parse import urlsplit

from hera_utils.local_platform.pods.pod.disk_room import is_full

Json = dict[str, Any]

_EXTRAS = {"s3": "s3fs", "gcs": "gcsfs", "azure": "adlfs", "hdfs": "hdfs_native"}
"""Kind of store → the module that the extra of the same name installs."""


_AZURES_OWN = (".core.windows.net", ".core.chinacloudapi.cn", ".core.usgovcloudapi.net")
"""This machine's Azure login is sent to these hosts only: its token is valid for every store of its user, so its receiver could use it."""


class TransferError(Exception):
    """A transfer failed. missing: the object does not exist."""

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.missing = missing


def main() -> None:
    request: Json = json.load(sys.stdin)
    sys.stdout.write("\n" + json.dumps(perform(request)) + "\n")


def perform(request: Json) -> Json:
    """The answer to a request; never raises."""
    if "requests" in request:
        return {"answers": [perform(each) for each in request["requests"]]}
    place = request["place"]
    try:
        store = _OPENERS[place["kind"]](place)
        return _ACTIONS[request["do"]](store, place, request.get("path", ""))
    except TransferError as error:
        return {"error": _mask_secrets(str(error), place), "missing": error.missing}
    except FileNotFoundError as error:
        return {"error": _mask_secrets(_message_of(error), place), "missing": True}
    except Exception as error:  # noqa: BLE001 - a store's library may raise anything; the task fails and says why
        full = error.errno if isinstance(error, OSError) and is_full(error) else None
        return {"error": _mask_secrets(_message_of(error), place), "missing": False, **({"full": full} if full else {})}


def _message_of(error: BaseException) -> str:
    return str(error).strip() or type(error).__name__


def _mask_secrets(text: str, place: Json) -> str:
    for secret in place.get("secrets", {}).values():
        for part in (secret, secret.strip()):
            if len(part) > 3:
                text = text.replace(part, "***")
    return text


class _Store:
    """files: an fsspec file system. root: the first part of its paths (the bucket, the container), "" for none."""

    def __init__(self, files: Any, root: str) -> None:
        self.files, self.root = files, root

    def path(self, key: str) -> str:
        return f"{self.root}/{key.lstrip('/')}" if self.root else f"/{key.lstrip('/')}"

    def key(self, path: str) -> str:
        return path.lstrip("/").removeprefix(self.root.strip("/")).lstrip("/") if self.root else path


# --- the requests -----------------------------------------------------------------------------------------------------
def _get(store: _Store, place: Json, target: str) -> Json:
    """Download an object as a file; without such an object, the objects below the key as a folder (as Argo's IsDirectory decides)."""
    path = store.path(place["key"])
    objects = [] if store.files.isfile(path.rstrip("/")) and not path.endswith("/") else _objects_below(store, path)
    if not objects and not store.files.isfile(path):
        raise TransferError("The specified key does not exist.", missing=True)
    if not objects:
        store.files.get_file(path, target)
        return {}
    start = path.rstrip("/") + "/"
    os.makedirs(target, exist_ok=True)
    for object_path in objects:
        below = object_path.removeprefix("/" if not start.startswith("/") else "").removeprefix(start)
        own = os.path.normpath(os.path.join(target, below))
        if not own.startswith(target + "/"):
            raise TransferError(f"the key {store.key(object_path)} leads out of its folder")
        os.makedirs(os.path.dirname(own), exist_ok=True)
        store.files.get_file(object_path, own)
    return {}


def _put(store: _Store, place: Json, source: str) -> Json:
    if place["kind"] == "s3" and place["at"].get("createBucketIfNotPresent") is not None:
        _create_bucket(store, place)
    path = store.path(place["key"])
    if not os.path.isdir(source):
        _put_file(store, place, source, path)
        return {}
    for folder, _, names in os.walk(source):
        for name in sorted(names):
            own = os.path.join(folder, name)
            _put_file(store, place, own, f"{path.rstrip('/')}/{os.path.relpath(own, source)}")
    return {}


def _put_file(store: _Store, place: Json, source: str, path: str) -> None:
    if place["kind"] == "hdfs":
        store.files.makedirs(path.rpartition("/")[0], exist_ok=True)
        if store.files.exists(path) and not place["at"].get("force"):
            raise TransferError(f"put {path}: file already exists")
    store.files.put_file(source, path)


def _list(store: _Store, place: Json, _: str) -> Json:
    path = store.path(place["key"])
    objects = _objects_below(store, path)
    if not objects and place["kind"] == "s3":
        if not store.files.isfile(path):
            raise TransferError(f"no key found of name {place['key']}", missing=True)
        return {"keys": None}
    if not objects and store.files.isfile(path):
        objects = [path]
    return {"keys": sorted(map(store.key, objects))}


def _remove(store: _Store, place: Json, _: str) -> Json:
    if not place["key"].strip("/"):
        raise TransferError("an artifact without a key is not removed: this would remove the whole bucket")
    path = store.path(place["key"])
    objects = _objects_below(store, path)
    if not path.endswith("/") and store.files.isfile(path):
        objects.append(path)
    for object_path in objects:
        store.files.rm_file(object_path)
    return {}


def _objects_below(store: _Store, path: str) -> list[str]:
    """The objects whose keys begin with a path and a slash."""
    start = path.rstrip("/")
    try:
        return [
            object_path
            for object_path in store.files.find(start)
            if object_path.strip("/").startswith(start.strip("/") + "/")
        ]
    except FileNotFoundError:
        return []


def _create_bucket(store: _Store, place: Json) -> None:
    """Create the bucket, as Argo does without checking first; it may exist already."""
    region = place["at"].get("region") or "us-east-1"
    # us-east-1 is S3's default, and S3 refuses a request that names it.
    options = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        store.files.call_s3("create_bucket", Bucket=place["at"]["bucket"], **options)
    except FileExistsError:
        return
    except OSError as error:
        if not any(code in repr(error) + repr(error.__cause__) for code in ("BucketAlready", "already")):
            raise


# --- the stores -------------------------------------------------------------------------------------------------------
def _library(kind: str) -> Any:
    try:
        return importlib.import_module(_EXTRAS[kind])
    except ImportError:
        raise TransferError(
            f"artifacts in {kind} need the extra `{kind}`: install it where the platform runs (pip install 'hera_utils[{kind}]')"
        ) from None


def _s3(place: Json) -> _Store:
    library, at, secrets = _library("s3"), place["at"], place["secrets"]
    endpoint = str(at.get("endpoint") or "s3.amazonaws.com")
    client: Json = {"endpoint_url": f"{'http' if at.get('insecure') else 'https'}://{endpoint}"}
    if at.get("region"):
        client["region_name"] = at["region"]
    if secrets.get("caSecret"):
        client["verify"] = _temporary_file(secrets["caSecret"])
    style = {"path": "path", "virtual-hosted": "virtual"}.get(str(at.get("addressingStyle") or ""))
    own = endpoint.endswith(("amazonaws.com", "aliyuncs.com"))
    if at.get("roleARN"):
        raise TransferError("roleARN: the local platform assumes no roles; give the store's keys, or useSDKCreds")
    keys: Json = {}
    if secrets.get("accessKeySecret"):
        keys = {"key": secrets["accessKeySecret"], "secret": secrets["secretKeySecret"]}
        if secrets.get("sessionTokenSecret"):
            keys["token"] = secrets["sessionTokenSecret"]
    files = library.S3FileSystem(
        **keys,
        use_ssl=not at.get("insecure"),
        client_kwargs=client,
        config_kwargs={
            "s3": {"addressing_style": style or ("auto" if own else "path")},
            "connect_timeout": 10,
            "retries": {"max_attempts": 2},
        },
        s3_additional_kwargs=_encryption(at.get("encryptionOptions") or {}, secrets),
        skip_instance_cache=True,
        use_listings_cache=False,
    )
    files.retries = 2
    return _Store(files, str(at["bucket"]))


def _encryption(options: Json, secrets: dict[str, str]) -> Json:
    """The request options for encryption by S3. Source: Argo's EncryptOpts."""
    own = secrets.get("encryptionOptions.serverSideCustomerKeySecret")
    if own and options.get("kmsKeyId"):
        raise TransferError("serverSideCustomerKeySecret and kmsKeyId cannot be set together")
    if own:
        return {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": own}
    if not options.get("enableEncryption"):
        return {}
    if not options.get("kmsKeyId"):
        return {"ServerSideEncryption": "AES256"}
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": options["kmsKeyId"]}
    if options.get("kmsEncryptionContext"):
        import base64

        encryption["SSEKMSEncryptionContext"] = base64.b64encode(str(options["kmsEncryptionContext"]).encode()).decode()
    return encryption


def _gcs(place: Json) -> _Store:
    # Without this, gcsfs first asks by gRPC for the bucket's kind, which is not needed and takes a minute where gRPC does not work.
    os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    library, secrets = _library("gcs"), place["secrets"]
    token: Any = "google_default"
    if secrets.get("serviceAccountKeySecret"):
        try:
            token = json.loads(secrets["serviceAccountKeySecret"])
        except ValueError:
            raise TransferError("serviceAccountKeySecret: the key is not a service account's JSON") from None
    emulator = os.environ.get("STORAGE_EMULATOR_HOST")
    files = library.GCSFileSystem(
        token="anon" if emulator else token, skip_instance_cache=True, use_listings_cache=False
    )
    return _Store(files, str(place["at"]["bucket"]))


def _azure(place: Json) -> _Store:
    library, at, secrets = _library("azure"), place["at"], place["secrets"]
    endpoint = str(at["endpoint"])
    address, _, signature = endpoint.partition("?")
    options: Json = {"account_name": azure_account(address)}
    if secrets.get("accountKeySecret"):
        options["connection_string"] = (
            f"DefaultEndpointsProtocol={urlsplit(address).scheme};AccountName={options['account_name']};"
            f"AccountKey={secrets['accountKeySecret'].strip()};BlobEndpoint={address.rstrip('/')};"
        )
    elif signature:
        options.update(sas_token=signature, account_host=urlsplit(address).netloc)
    else:
        parts = urlsplit(address)
        if parts.scheme != "https" or not (parts.hostname or "").endswith(_AZURES_OWN):
            raise TransferError(
                f"useSDKCreds: this machine's own login is sent to Azure's own hosts, not to {parts.netloc}"
            )
        options.update(anon=False, account_host=parts.netloc)
    files = library.AzureBlobFileSystem(**options, skip_instance_cache=True, use_listings_cache=False)
    return _Store(files, str(at["container"]))


def azure_account(endpoint: str) -> str:
    """The account that an endpoint names: the first label of its host; for an emulator on this machine, the first part of the path."""
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    if host in ("localhost", "::1") or host.startswith("127."):
        return parts.path.strip("/").partition("/")[0]
    return host.partition(".")[0]


def _hdfs(place: Json) -> _Store:
    library, at = _library("hdfs"), place["at"]
    if any(at.get(name) for name in ("krbCCacheSecret", "krbKeytabSecret")):
        raise TransferError("hdfs with Kerberos is not supported here")
    if at.get("hdfsUser"):
        os.environ["HADOOP_USER_NAME"] = str(at["hdfsUser"])
    module = importlib.import_module(f"{library.__name__}.fsspec")
    host, _, port = str(at["addresses"][0]).partition(":")
    return _Store(module.HdfsFileSystem(host=host, port=int(port or 8020), skip_instance_cache=True), "")


def _temporary_file(text: str) -> str:
    """A file with that text, which is removed when this process ends."""
    folder = tempfile.mkdtemp(prefix="hera-utils-")
    path = os.path.join(folder, "ca.pem")
    with open(path, "w", encoding="latin-1") as file:
        file.write(text)
    import atexit

    atexit.register(shutil.rmtree, folder, True)
    return path


_OPENERS = {"s3": _s3, "gcs": _gcs, "azure": _azure, "hdfs": _hdfs}
_ACTIONS = {"get": _get, "put": _put, "list": _list, "remove": _remove}

if __name__ == "__main__":
    main()
