"""Verifies a Sigstore bundle about an image with sigstore-python, offline.

sigstore-python BUNDLE TRUSTED_ROOT DIGEST IDENTITY ISSUER: prints the statement's predicate type, or why the bundle is refused
and ends with 1.
"""

import json
import pathlib
import sys

from sigstore.errors import Error
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier, policy


def verify(path, root, digest, identity, issuer):
    bundle = Bundle.from_json(pathlib.Path(path).read_bytes())
    verifier = Verifier(trusted_root=TrustedRoot.from_file(root))
    kind, payload = verifier.verify_dsse(bundle, policy.Identity(identity=identity, issuer=issuer))
    # What is signed, and about what, is the caller's to look at.
    if kind != "application/vnd.in-toto+json":
        raise Error(f"the payload is {kind}")
    statement = json.loads(payload)
    digests = [f"sha256:{subject['digest'].get('sha256')}" for subject in statement["subject"]]
    if digests != [digest]:
        raise Error(f"the statement is about {digests}")
    return statement["predicateType"]


def main():
    try:
        print(verify(*sys.argv[1:]))
    except Error as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


sys.exit(main())
