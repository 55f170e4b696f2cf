"""Tries the files that it is told of, and reports what each came to: run by conftest.py in a process of its own."""

import contextlib
import json
import os
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from typer.testing import CliRunner

import seqpipe
from seqpipe.cli import app
from seqpipe.exceptions import SeqpipeError
from seqpipe.plugins import host
from seqpipe.tracking import load_model
from seqpipe.tracking.serving import _load_pyfunc

#: Events of a process that runs what a file says.
STARTS = {"os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "subprocess.Popen"}
REACHES = {"socket.connect", "socket.bind", "pickle.find_class", "ctypes.dlopen", "webbrowser.open"}
CHANGES = {"os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "shutil.rmtree"}
#: Bytes that a payload may allocate beyond what the process has when it begins.
MEMORY = 2 * 2**30

X = np.random.default_rng(0).normal(size=(3, 6, 2)).astype("f4")
events: list[str] = []
armed = False


def audit(event: str, args: tuple[Any, ...]) -> None:
    if not armed:
        return
    writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if writes and str(args[0]) == os.devnull:
        return
    if writes or event in STARTS | REACHES | CHANGES:
        events.append(f"{event} {args!r:.100}")


def use(model: Any) -> None:
    """Do with a model what a user does."""
    if isinstance(model, seqpipe.LanguageModel):
        model.bits_per_token(["ab"])
    elif isinstance(model, seqpipe.SequenceTranslator):
        model.predict(["ab"])
    elif isinstance(model, seqpipe.Forecaster):
        model.predict()
    elif hasattr(model, "predict"):
        first = getattr(model, "steps", [("", model)])[0][1]
        model.predict(X if type(first).__module__.startswith("seqpipe") else X[:, 0])
    elif hasattr(model, "transform"):
        model.transform(X)


def load(path: str) -> None:
    use(seqpipe.load(path))


def load_logged(path: str) -> None:
    use(load_model(path)[0])


def serve(path: str) -> None:
    _load_pyfunc(path).predict(X)


def predict(path: str) -> None:
    ran = CliRunner().invoke(app, ["predict", path, str(Path(path).parent / "rows.csv")])
    if ran.exit_code:
        raise (
            SeqpipeError(ran.stderr) if ran.stderr.startswith("error: ") else ran.exception or RuntimeError(ran.stderr)
        )


ACTIONS: dict[str, Callable[[str], None]] = {
    "load": load,
    "load_model": load_logged,
    "predict": predict,
    "serve": serve,
}


def tried(action: str, path: str) -> tuple[str, str]:
    try:
        ACTIONS[action](path)
    except SeqpipeError as error:
        return "refused", str(error)
    except BaseException as error:
        return "raw", f"{type(error).__name__}: {error}"
    return "accepted", ""


def warm_up() -> None:
    """Import and create what is imported and created with the first model, so that it is not taken for a payload's doing."""
    with tempfile.TemporaryDirectory() as folder:
        model = seqpipe.SequenceClassifier(hidden_size=2, max_epochs=1).fit(X, [0, 1, 0])
        seqpipe.save(model, f"{folder}/model.skops")
        load(f"{folder}/model.skops")
    with contextlib.suppress(ValueError):  # a name that no plug-in has loads all of them
        host().find("cell", "nowhere", parameter="cell")


def main() -> None:
    global armed
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    warm_up()
    sys.addaudithook(audit)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for line in sys.stdin:
        asked = json.loads(line)
        events.clear()
        environment, folder = dict(os.environ), os.getcwd()
        began, armed = time.process_time(), True
        outcome, message = tried(asked["action"], asked["path"])
        armed = False
        changed = dict(os.environ) != environment or os.getcwd() != folder
        report = {
            "outcome": outcome,
            "message": message[:3000],
            "seconds": time.process_time() - began,
            "events": [*events, *(["environment"] if changed else [])],
        }
        print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
