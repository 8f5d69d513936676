"""How buckets are reached: a file of the operator's with a table for each (setting ``stores``), else the environment.

Endpoint, region and keys that the file does not give come from where every S3 client looks for them
(``AWS_ENDPOINT_URL``, ``AWS_REGION``, ``AWS_ACCESS_KEY_ID`` ..., a role of the machine).
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, TypeAdapter, ValidationError

from vo.errors import OperatorFault


def _endpoint(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("write the address of the server that has the bucket, such as https://s3.example.org")
    return text.rstrip("/")


Endpoint = Annotated[str, AfterValidator(_endpoint)]


class Bucket(BaseModel):
    """One bucket.

    ``endpoint`` is where this service reads it, ``public_endpoint`` where clients reach the same one (this service may
    stand beside it in a private network). ``skip_signature`` is for buckets that anybody may read.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: Endpoint | None = None
    public_endpoint: Endpoint | None = None
    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
    skip_signature: bool = False
    virtual_hosted_style_request: bool = False

    def options(self, *, for_clients: bool = False) -> dict[str, str | bool]:
        """What the store's library is told of it."""
        told = self.model_dump(exclude={"public_endpoint"}, exclude_none=True, exclude_defaults=True)
        if for_clients and self.public_endpoint is not None:
            told["endpoint"] = self.public_endpoint
        return told


_BUCKETS = TypeAdapter(dict[str, Bucket])


def read_buckets(path: Path | None) -> dict[str, Bucket]:
    """The buckets of a file, by name; none when there is no file. :class:`OperatorFault` names what is wrong in it."""
    if path is None:
        return {}
    try:
        return _BUCKETS.validate_python(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise OperatorFault(f"VO_STORES: {path} cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OperatorFault(f"VO_STORES: {path} is not TOML: {error}") from error
    except ValidationError as error:
        # What stands there may be a key, so it is not repeated.
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise OperatorFault(f"VO_STORES: {path}: {wrong}") from None
