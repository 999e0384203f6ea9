"""Moto's STS, IAM and ECR for one test process: signatures and permissions are checked from the first request on.

It prints the address that it listens on. For each account id that comes in on its standard input it makes an administrator
there and prints the key: nobody could make the first user of an account by requests that are checked. It ends with its
standard input, so it outlives nobody.
"""

import json
import logging
import os
import sys

from moto import settings
from moto.iam.models import iam_backends
from moto.server import ThreadedMotoServer

EVERYTHING = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}


def administrator(account: str) -> dict[str, str]:
    iam = iam_backends[account]["aws"]
    iam.create_user(region_name="us-east-1", user_name="administrator")
    iam.put_user_policy("administrator", "everything", json.dumps(EVERYTHING))
    key = iam.create_access_key("administrator")
    return {"id": key.access_key_id, "secret": key.secret_access_key}


logging.getLogger("werkzeug").setLevel(logging.ERROR)
settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print("%s:%s" % server.get_host_and_port(), flush=True)
for line in sys.stdin:
    print(json.dumps(administrator(line.strip())), flush=True)
os._exit(0)
