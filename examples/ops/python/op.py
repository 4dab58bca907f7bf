"""Signs the body with a key that it is shown: `Authorization: HMAC key-id:mac`."""

import hashlib
import hmac
import warnings  # noqa: F401: hmac imports it when it is first used, and then it is too late

import wit_world
from componentize_py_types import Err
from wit_world.imports import call, secrets
from wit_world.imports.types import Class, Failure, Field, Value_Text


def failure(message: str) -> Err:
    return Err(Failure("python-signer-err", message))


class WitWorld(wit_world.WitWorld):
    def handle(self) -> list[Field]:
        key_id = call.param("key_id")
        if not isinstance(key_id, Value_Text):
            raise failure("key_id is missing in WITH")
        body = call.bytes("body")
        if body is None:
            raise failure("there is no body to sign")
        # The key is copied into this op's own memory, which is wiped when the call ends.
        key = secrets.reveal("key", 0)
        mac = hmac.new(key, body.read(0, body.len()), hashlib.sha256).hexdigest()
        return [Field("@computed.authorization", Class.CREDENTIAL, Value_Text(f"HMAC {key_id.value}:{mac}"))]
