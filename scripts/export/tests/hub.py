"""A hub of the tests' own on loopback: what `hf download` asks of the real one."""

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def hub(name: str, folder: Path):
    """@param name of the repository, whose files are those of `folder`. Gives the endpoint."""
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())

    class Answers(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.answer(with_body=False)

        def do_GET(self):
            self.answer(with_body=True)

        def answer(self, with_body: bool):
            path = unquote(urlsplit(self.path).path)
            if path.startswith(f"/api/models/{name}"):
                found = {"_id": "1", "id": name, "sha": COMMIT, "siblings": [{"rfilename": file} for file in files]}
                return self.send(json.dumps(found).encode(), with_body, "application/json")
            start, _, rest = path.partition("/resolve/")
            file = rest.partition("/")[2]
            if start != f"/{name}" or file not in files:
                return self.send_error(404)
            return self.send((folder / file).read_bytes(), with_body, "application/octet-stream")

        def send(self, body: bytes, with_body: bool, kind: str):
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.send_header("etag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.send_header("x-repo-commit", COMMIT)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
