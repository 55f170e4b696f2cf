"""What has to be set before scikit-learn is imported, and a tracking store that tests share."""

import atexit
import math
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

os.environ["SCIPY_ARRAY_API"] = "1"
# Most tests draw sizes, and each size would be compiled: they run on torch's kernels and the plain loop. Tests of the
# compiled engine, and of all that stands on it, choose it themselves.
os.environ.setdefault("SEQPIPE_ENGINE", "fused")
if (
    "SEQPIPE_CACHE" not in os.environ
):  # the first process of a run makes the folder for what tests compile, and removes it
    os.environ["SEQPIPE_CACHE"] = tempfile.mkdtemp(prefix="seqpipe-objects-")
    atexit.register(shutil.rmtree, os.environ["SEQPIPE_CACHE"], ignore_errors=True)
# Workers that take all cores each wait for each other's threads; those of one run share the cores out, as searches do.
if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    share = (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    os.environ.setdefault("OMP_NUM_THREADS", str(max(share, 1)))
# Triton's own functions are made for its interpreter or for a GPU when they are imported, and torch may do that at any time.
if find_spec("triton") is not None:
    import torch

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "0" if torch.cuda.is_available() else "1")
        import triton.language  # noqa: F401
# A test on a busy machine takes as long as it takes. `make fuzz` draws more examples.
settings.register_profile("seqpipe", deadline=None, max_examples=200 if "SEQPIPE_SLOW" in os.environ else 25)
settings.load_profile("seqpipe")
# A shell without job control starts background jobs deaf to Ctrl-C; the tests of Ctrl-C must hear it all the same.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    from seqpipe.callbacks import IS_LIVE

    config.addinivalue_line("markers", "live_tree: needs the runs of all fits inside a search")
    config.addinivalue_line("markers", "slow: runs only with SEQPIPE_SLOW, which `make fuzz` sets")
    if not IS_LIVE:
        config.addinivalue_line(
            "filterwarnings", "ignore:.* does not notify callbacks:seqpipe.exceptions.TrackingWarning"
        )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    from seqpipe.callbacks import IS_LIVE

    for item in items if "SEQPIPE_SLOW" not in os.environ else ():
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow: `make fuzz` runs it"))
    for item in items if not IS_LIVE else ():
        if item.get_closest_marker("live_tree"):
            item.add_marker(
                pytest.mark.skip(reason="scikit-learn notifies callbacks of a search's fits from version 1.9 on")
            )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    return (yield from skipped_without_callbacks())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    return (yield from skipped_without_callbacks())


def skipped_without_callbacks() -> Generator[None, object, object]:
    """Skip what sets callbacks on estimators of scikit-learn, in versions where they take none."""
    from seqpipe.callbacks import IS_LIVE

    try:
        return (yield)
    except AttributeError as error:
        if IS_LIVE or error.name != "set_callbacks":
            raise
        pytest.skip(f"{error}: callbacks of scikit-learn's own estimators begin with version 1.9")


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the compiled engine take what it can, as it does for users; there has to be a C compiler."""
    from seqpipe.exceptions import CompilerError
    from seqpipe.recurrence.compiler.c._toolchain import find_compiler

    try:
        find_compiler()
    except CompilerError as error:
        pytest.skip(str(error))
    monkeypatch.setenv("SEQPIPE_ENGINE", "auto")


@pytest.fixture
def heeded_hangup() -> Generator[None, None, None]:
    """Let SIGHUP end this process and its children, also under nohup, which makes it ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture(scope="session")
def serving() -> Callable[..., AbstractContextManager[str]]:
    """Serve a model in a thread, on a free port of the loopback address, for the time of a context, which yields the URL."""
    from seqpipe.serving import ServedModel, Server

    @contextmanager
    def serving(model: ServedModel, **settings: object) -> Generator[str, None, None]:
        server = Server(model, name="tested", **settings)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            yield server.url
        finally:
            server.stop()
            thread.join(timeout=30)

    return serving


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database that one migration serves for all tests."""
    return f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}"


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str) -> Path:
    """Work in an empty folder, with that database for the tracking store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    return tmp_path


@pytest.fixture
def in_child() -> Callable[..., int]:
    """Run a function in a forked process, which may be killed after some seconds.

    The exit code is that of the function, negative for a signal.
    """
    import torch

    def run_in_child(run: Callable[[], int | None], seconds: float = math.inf) -> int:
        child = os.fork()
        if child == 0:
            code = 99
            try:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                torch.set_num_threads(1)  # threads do not survive a fork
                code = run() or 0
            except SystemExit as stop:
                code = int(stop.code or 0)
            except KeyboardInterrupt:
                code = 130
            finally:
                os._exit(code)
        deadline = time.monotonic() + seconds
        while not (ended := os.waitpid(child, os.WNOHANG))[0]:
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
            time.sleep(0.005)
        return os.waitstatus_to_exitcode(ended[1])

    return run_in_child


@pytest.fixture
def updates_counted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AbstractContextManager[list[int]]]:
    """Count the updates of fits within a context, and raise an error instead of the one after ``most``."""
    from seqpipe.training import SequenceNet

    step = SequenceNet.train_step

    @contextmanager
    def counted(most: int | None = None, error: type[BaseException] = KeyboardInterrupt) -> Iterator[list[int]]:
        made: list[int] = []

        def train_step(self: SequenceNet, batch: object, **params: object) -> object:
            if len(made) == most:
                raise error
            made.append(1)
            return step(self, batch, **params)

        with monkeypatch.context() as patch:
            patch.setattr(SequenceNet, "train_step", train_step)
            yield made

    return counted


@pytest.fixture
def replace_dataset() -> Generator[Callable[[str, Callable[[], object]], None], None, None]:
    """Replace a data set of recipes, by its name, for the time of a test."""
    from seqpipe.plugins import host
    from seqpipe.specs import DatasetSpec

    with ExitStack() as stack:

        def replace(name: str, make: Callable[[], object]) -> None:
            stack.enter_context(host().offering("dataset", DatasetSpec(name, make), "seqpipe"))

        yield replace
