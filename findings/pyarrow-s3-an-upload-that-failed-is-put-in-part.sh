#!/usr/bin/env bash
# pyarrow 25.0.1: an S3 stream that is left by an exception puts what was written until then.
#
# An object store shows an object when its upload is completed, so half of one is never seen: a
# reason to need no temporary names there. But `with fs.open_output_stream(path) as stream:` closes
# the stream also where its block raised, and closing completes the upload: the object is there with
# the first part of its bytes, in the place of the whole one that was there before. The stream has no
# way to give the upload up. Who writes in parts must be able to tell a whole object by something
# else, as a digest, or make all bytes before the stream is opened.
#
# Seen with moto 5.2.5 as the S3 server: before: b'the whole object'
#                                        after:  b'half of'
#                                        abort:  none
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/env"
"$place/env/bin/pip" install -q --disable-pip-version-check pyarrow==25.0.1 'moto[server]==5.2.5'
"$place/env/bin/python" - <<'PY'
from moto.server import ThreadedMotoServer
from pyarrow.fs import S3FileSystem

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
store = S3FileSystem(
    access_key="any",
    secret_key="any",
    region="us-east-1",
    endpoint_override=f"{host}:{port}",
    scheme="http",
    allow_bucket_creation=True,
)
store.create_dir("bucket")
with store.open_output_stream("bucket/object") as stream:
    stream.write(b"the whole object")


def read():
    with store.open_input_stream("bucket/object") as stream:
        return stream.read()


found = {"before": read()}
try:
    with store.open_output_stream("bucket/object") as stream:
        stream.write(b"half of")
        raise RuntimeError("the other half could not be made")
except RuntimeError:
    found["after"] = read()
found["abort"] = next((one for one in dir(stream) if "abort" in one or "discard" in one), "none")
for name, value in found.items():
    print(f"{name}: {value}")
server.stop()
expected = {"before": b"the whole object", "after": b"half of", "abort": "none"}
assert found == expected, "the behaviour has changed"
PY
