"""moto's S3 server in its own process, with one key; it checks every signature.

Run as a program it prints {"endpoint", "access", "secret"} and serves until its standard input ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


class Server:
    def __init__(self, answer: dict[str, str]) -> None:
        self.endpoint, self.access, self.secret = answer["endpoint"], answer["access"], answer["secret"]

    def client(self) -> Any:
        import botocore.session

        session = botocore.session.get_session()
        return session.create_client(
            "s3", region_name="us-east-1", endpoint_url=f"http://{self.endpoint}",
            aws_access_key_id=self.access, aws_secret_access_key=self.secret,
        )  # fmt: skip

    def keys(self, bucket: str) -> list[str]:
        return [one["Key"] for one in self.client().list_objects_v2(Bucket=bucket).get("Contents", [])]

    def read(self, bucket: str, key: str) -> bytes:
        return bytes(self.client().get_object(Bucket=bucket, Key=key)["Body"].read())


@contextmanager
def serving() -> Iterator[Server]:
    environment = {**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": "3", "AWS_EC2_METADATA_DISABLED": "true"}
    with subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        line = process.stdout.readline()
        yield Server(json.loads(line))
        process.stdin.close()


def main() -> None:
    import botocore.session
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    iam = botocore.session.get_session().create_client(
        "iam", region_name="us-east-1", endpoint_url=f"http://{host}:{port}",
        aws_access_key_id="first", aws_secret_access_key="first",
    )  # fmt: skip
    iam.create_user(UserName="researcher")
    key = iam.create_access_key(UserName="researcher")["AccessKey"]
    iam.put_user_policy(UserName="researcher", PolicyName="all", PolicyDocument=json.dumps(POLICY))
    answer = {"endpoint": f"{host}:{port}", "access": key["AccessKeyId"], "secret": key["SecretAccessKey"]}
    print(json.dumps(answer), flush=True)
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
