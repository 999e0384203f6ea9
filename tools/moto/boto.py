"""A delivery's calls of GitHub and AWS, by boto3: a client that knows nothing of us.

It reads {"audience", "assume": {…}, "calls": [[service, operation, {…}], …], "keys": {…}} and prints a list: what assuming the
role came to, then what each call came to, each as {"said": …} or {"code", "message", "status"}. With "keys" it takes those
in place of what STS gives. The environment is that of a job.
"""

import json
import os
import sys

import boto3
import requests
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore import UNSIGNED


def outcome(call, parameters):
    try:
        said = call(**parameters)
        said["ResponseMetadata"] = said["ResponseMetadata"]["HTTPStatusCode"]
        return {"said": said}
    except ClientError as error:
        said = error.response
        return {
            "code": said["Error"]["Code"],
            "message": said["Error"]["Message"],
            "status": said["ResponseMetadata"]["HTTPStatusCode"],
        }


def client(service, **more):
    settings = {"retries": {"total_max_attempts": 1}, "parameter_validation": False, **more.pop("config", {})}
    return boto3.client(service, region_name=os.environ["AWS_REGION"], config=Config(**settings), **more)


def id_token(audience):
    answer = requests.get(
        os.environ["ACTIONS_ID_TOKEN_REQUEST_URL"],
        params={"audience": audience},
        headers={"Authorization": "Bearer " + os.environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]},
    )
    answer.raise_for_status()
    return answer.json()["value"]


asked = json.load(sys.stdin)
keys = asked.get("keys")
outcomes = []
if not keys:
    parameters = {"RoleSessionName": "boto", **asked["assume"]}
    parameters.setdefault("WebIdentityToken", None)
    parameters["WebIdentityToken"] = parameters["WebIdentityToken"] or id_token(asked.get("audience", "sts.amazonaws.com"))
    assumed = outcome(client("sts", config={"signature_version": UNSIGNED}).assume_role_with_web_identity, parameters)
    outcomes.append(assumed)
    keys = assumed.get("said", {}).get("Credentials")
for service, operation, parameters in asked.get("calls", []) if keys else []:
    signed = client(
        service,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    outcomes.append(outcome(getattr(signed, operation), parameters))
print(json.dumps(outcomes, default=str))
