"""A registry that is empty at first, on this machine."""

import pathlib
import socket
import subprocess
import tempfile
import time


class Registry:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="gp-deliver-bench-")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        config = pathlib.Path(self.folder.name) / "config.yml"
        storage = pathlib.Path(self.folder.name) / "data"
        config.write_text(
            f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {storage}}}}}\n"
            f"http: {{addr: '{self.address}'}}\n"
        )
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(["docker-registry", "serve", config], **quiet)
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.05)

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
