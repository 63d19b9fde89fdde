"""Tests that need a process: streams, signals, exit codes."""

from __future__ import annotations

import os
import pty
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from time import sleep

import numpy as np
import pytest
from safetensors.numpy import save_file

from netc.files.atomic_writing import write_files

NETC = [sys.executable, "-m", "netc"]
BAD = ["check", "-e", "input 3 -> dens 2"]


def in_terminal(words: list[str], **environment: str) -> str:
    """The output of a command in a terminal."""
    main, side = pty.openpty()
    process = subprocess.Popen([*NETC, *words], stdout=side, stderr=side, env={**os.environ, "TERM": "xterm", **environment})
    os.close(side)
    shown = b""
    try:
        while chunk := os.read(main, 4096):
            shown += chunk
    except OSError:  # the other side is closed
        pass
    process.wait()
    os.close(main)
    return shown.decode()


def test_colors_only_in_a_terminal() -> None:
    plain = {"NO_COLOR": ""}
    assert "\x1b[" in in_terminal(BAD, **plain)
    assert "\x1b[" not in in_terminal(BAD, NO_COLOR="1")
    assert "\x1b[" not in in_terminal(BAD, TERM="dumb", **plain)
    assert b"\x1b[" not in subprocess.run([*NETC, *BAD], capture_output=True, check=False).stdout


def test_the_page_of_an_operator_has_colors_in_a_terminal() -> None:
    assert "\x1b[" in in_terminal(["ops", "dense"], NO_COLOR="")


ENDING = """
import atexit, sys, threading, time
atexit.register(lambda: print("exit functions run", flush=True))
threading.Thread(target=lambda: (time.sleep(1), print("threads end", flush=True))).start()
sys.argv = ["netc", *sys.argv[1:]]
from netc.__main__ import main
main()
"""


@pytest.mark.parametrize(("words", "code"), [(["check", "-e", "input 3"], 0), (BAD, 1), (["--nothing"], 2)])
def test_the_process_ends_as_python_ends_it(words: list[str], code: int) -> None:
    """Threads are waited for, exit functions run, and the exit code is the command's."""
    done = subprocess.run([sys.executable, "-c", ENDING, *words], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert "threads end" in done.stdout
    assert done.stdout.splitlines()[-1] == "exit functions run"


def test_a_profiler_has_the_last_word() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cProfile", *NETC[1:], "check", "-e", "input 3"], capture_output=True, text=True, check=False
    )
    assert "function calls" in done.stdout


def test_a_pipe_without_a_reader() -> None:
    process = subprocess.Popen(
        [*NETC, "compile", "-e", "input 3 -> dense 2", "--emit", "graph"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait() == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_current_folder_that_is_deleted(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    leave = "import os, sys; from netc.__main__ import main; os.rmdir(os.getcwd()); sys.argv[1:] = ['new', 'moons']; main()"
    done = subprocess.run([sys.executable, "-c", leave], cwd=tmp_path / "gone", capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: the current folder does not exist anymore\n  help: change to another folder\n"


def test_a_full_disk() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*NETC, *BAD], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: cannot write the output: no space left on device\n"


def test_a_full_disk_that_a_library_does_not_name(tmp_path: Path) -> None:
    """As safetensors and PyTorch, which raise errors of their own."""

    def full(path: str) -> None:
        os.symlink("/dev/full", path)
        raise RuntimeError("write failed")

    def wrong(path: str) -> None:
        raise RuntimeError("no such tensor")

    with pytest.raises(OSError, match=r"[Nn]o space left") as caught:
        write_files(str(tmp_path / "a.bin"), full)
    assert caught.value.filename == str(tmp_path / "a.bin")
    with pytest.raises(RuntimeError, match="no such tensor"):
        write_files(str(tmp_path / "a.bin"), wrong)
    assert os.listdir(tmp_path) == []


def opened(path: Path, reader: subprocess.Popen[bytes]) -> int:
    """The pipe, opened for writing once the process reads it."""
    while reader.poll() is None:
        with suppress(OSError):  # nobody reads it yet
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        sleep(0.01)
    raise AssertionError(f"it ended with {reader.returncode} before it opened {path}")


def test_interrupted(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.net")
    process = subprocess.Popen(
        [*NETC, "check", tmp_path / "pipe.net"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=heed_interruptions,
    )
    pipe = opened(tmp_path / "pipe.net", process)
    for _ in range(30):  # a signal just before Python starts to read does not end the read: the user presses the keys once more
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=2)
            break
    out, err = process.communicate(timeout=60)
    os.close(pipe)
    assert process.returncode == 130
    assert b"Traceback" not in out + err


SWALLOWS = """
import signal, sys
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    sys.excepthook(*sys.exc_info())
raise ImportError("import failed")
"""


def test_an_interruption_that_a_library_in_c_replaces(tmp_path: Path) -> None:
    """As NumPy and ONNX Runtime do where they are imported: the interruption is printed, and another exception raised."""
    (tmp_path / "swallows.py").write_text(SWALLOWS)
    done = subprocess.run(
        [*NETC, "check", "-e", "input 3", "--plugin", "swallows"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        preexec_fn=heed_interruptions,
        check=False,
    )
    assert done.stderr == b""
    assert done.returncode == 130


def test_names_that_are_no_text(tmp_path: Path) -> None:
    done = subprocess.run([*map(os.fsencode, NETC), b"check", b"\xff.net"], capture_output=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert b"missing-file" in done.stdout
    narrow = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run([*NETC, "check", "-e", "é"], capture_output=True, env=narrow, check=False)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_without_permission(tmp_path: Path) -> None:
    (tmp_path / "a.net").write_text("input 3 -> relu")
    (tmp_path / "a.net").chmod(0)
    done = subprocess.run([*NETC, "check", "a.net"], capture_output=True, cwd=tmp_path, text=True, check=False)
    assert done.returncode == 1
    assert "unreadable-file" in done.stdout
    tmp_path.chmod(0o500)
    words = ["compile", "-e", "input 3 -> relu", "-o", "m.py"]
    done = subprocess.run([*NETC, *words], capture_output=True, cwd=tmp_path, text=True, check=False)
    assert done.stderr == "error: cannot write `m.py`: permission denied\n"


def test_an_error_of_netc_itself(tmp_path: Path) -> None:
    broken = "import netc.analysis, netc.cli; netc.analysis.analyze_models = None; netc.cli.main()"
    command = [sys.executable, "-c", broken, *BAD]
    usual = {name: value for name, value in os.environ.items() if name != "NETC_DEBUG"}
    done = subprocess.run(command, capture_output=True, text=True, env=usual, check=False)
    assert done.returncode == 70
    assert "internal error in netc" in done.stderr
    assert "Traceback" not in done.stderr
    debug = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "NETC_DEBUG": "1"}, check=False)
    assert "Traceback" in debug.stderr


def test_what_was_killed_leaves_nothing_for_long(tmp_path: Path) -> None:
    script = "import os, signal; from netc.files.atomic_writing import write_files; "
    script += "write_files('m.py', lambda path: os.kill(os.getpid(), signal.SIGKILL))"
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=False)
    (left,) = os.listdir(tmp_path)
    os.symlink(tmp_path / "elsewhere", tmp_path / ".netc-aaaaaaaa")
    (tmp_path / ".netc-of-mine").mkdir()
    write_files(str(tmp_path / "m.py"), lambda path: Path(path).write_text(str(os.listdir(tmp_path))))
    assert left not in (tmp_path / "m.py").read_text()
    assert sorted(os.listdir(tmp_path)) == [".netc-aaaaaaaa", ".netc-of-mine", "m.py"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_was_ended_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """And the process ends as one that such a signal ends."""
    (tmp_path / "m.py").write_text("before")
    writing = f"lambda path: (open(path, 'w').write('half'), os.kill(os.getpid(), {int(number)}), open('after', 'w'))"
    script = f"import os, signal; from netc.files.atomic_writing import write_files; write_files('m.py', {writing}); print('not reached')"
    usual = lambda: signal.signal(number, signal.SIG_DFL)  # noqa: E731
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, check=False, preexec_fn=usual)
    assert (done.returncode, done.stdout, done.stderr) == (-number, b"", b"")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"m.py": "before"}


def test_who_handles_such_a_signal_goes_on_doing_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    received: list[int] = []
    usual = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    try:
        write_files("m.py", lambda path: (Path(path).write_text("whole"), signal.raise_signal(signal.SIGTERM))[1])
        assert signal.getsignal(signal.SIGTERM) not in (signal.SIG_DFL, usual)
    finally:
        signal.signal(signal.SIGTERM, usual)
    assert (received, Path("m.py").read_text()) == ([signal.SIGTERM], "whole")


def test_two_at_once_leave_each_other_alone(tmp_path: Path) -> None:
    def other(path: str) -> None:
        write_files(str(tmp_path / "b.py"), lambda inner: Path(inner).write_text("b"))
        Path(path).write_text("a")

    write_files(str(tmp_path / "a.py"), other)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.py": "a", "b.py": "b"}


def pair(name: str) -> Callable[[str], None]:
    """A file that refers to another one."""

    def write(path: str) -> None:
        Path(f"{path}.{name}.data").write_text(name)
        Path(path).write_text(name)

    return write


def test_two_that_write_the_same_file_leave_one_that_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one writes between the two files of the first."""
    target, replace = str(tmp_path / "m"), os.replace
    other = Thread(target=lambda: write_files(target, pair("b"), r"\.[ab]\.data"))

    def late(new: str, old: str) -> None:
        if old == target and not other.ident:
            other.start()
            other.join(timeout=1)
        replace(new, old)

    monkeypatch.setattr(os, "replace", late)
    write_files(target, pair("a"), r"\.[ab]\.data")
    other.join()
    name = Path(target).read_text()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"m": name, f"m.{name}.data": name}


def heed_interruptions() -> None:
    """In a new process: a job in the background inherits that Ctrl-C is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_interrupted_while_it_starts(tmp_path: Path) -> None:
    """At the first import of the command line: Ctrl-C, with no traceback."""
    (tmp_path / "click.py").write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n")
    done = subprocess.run(
        [*NETC, *BAD],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        check=False,
        preexec_fn=heed_interruptions,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


LOST = """
import os, signal, sys, time, weakref
import netc.cli
from netc.__main__ import main


class Gone:
    pass


def command(usual):
    signal.signal(signal.SIGINT, usual)
    gone = Gone()
    kept = weakref.ref(gone, lambda _: os.kill(os.getpid(), signal.SIGINT))
    try:
        del gone
        time.sleep(60)
    except KeyboardInterrupt:
        sys.exit(130)


netc.cli.main = command
main()
"""


def test_interrupted_within_a_finaliser() -> None:
    """Where Python would print a traceback and go on."""
    done = subprocess.run([sys.executable, "-c", LOST], capture_output=True, check=False, timeout=50, preexec_fn=heed_interruptions)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


AFTER = """
import os, signal, sys
import netc.__main__
netc.__main__._exit_quickly = lambda end: os.kill(os.getpid(), signal.SIGINT)
sys.argv = ["netc", "check", "-e", "input 3"]
netc.__main__.main()
"""


def test_interrupted_after_the_command() -> None:
    done = subprocess.run([sys.executable, "-c", AFTER], capture_output=True, check=False, preexec_fn=heed_interruptions)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"no errors\n")


def test_a_name_that_is_too_long_is_not_written(tmp_path: Path) -> None:
    name = 5000 * "x"
    for words in (["compile", "-e", "input 3 -> dense 2", "-o", "m.onnx", "--weights", f"{name}.npz"], ["run", f"{name}.onnx", "--random"]):
        done = subprocess.run([*NETC, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "cannot write" not in done.stderr
        assert "there is no such file" in done.stderr or "there is no file" in done.stderr
        assert len(done.stderr) < 2000


@pytest.mark.parametrize("words", [["ops"], ["ops", "dense"], BAD, ["summary", "-e", "input 3 -> relu"]])
@pytest.mark.sample(1)
def test_closed_streams(words: list[str]) -> None:
    done = subprocess.run([*NETC, *words], stderr=subprocess.PIPE, text=True, check=False, preexec_fn=lambda: os.close(1))
    assert done.returncode == 1
    assert done.stderr == "error: cannot write the output: bad file descriptor\n"
    done = subprocess.run([*NETC, *words], stdout=subprocess.PIPE, check=False, preexec_fn=lambda: (os.close(2), os.close(0)))
    assert done.returncode == (1 if words is BAD else 0)
    assert done.stdout


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_new_files_have_the_usual_rights(tmp_path: Path, mask: int, mode: int) -> None:
    """Whatever rights a library gives, and a file that was there keeps its own."""
    before = os.umask(mask)
    try:
        for number in (0o600, 0o644):
            path = tmp_path / f"{number}.bin"

            def write(inner: str, number: int = number) -> None:
                Path(inner).write_bytes(b"a")
                os.chmod(inner, number)

            write_files(str(path), write)
            assert stat.S_IMODE(path.stat().st_mode) == mode
            path.chmod(0o604)
            write_files(str(path), write)
            assert stat.S_IMODE(path.stat().st_mode) == 0o604
        weights = tmp_path / "w.safetensors"
        write_files(str(weights), lambda inner: save_file({"a": np.ones(2)}, inner))
        assert stat.S_IMODE(weights.stat().st_mode) == mode
    finally:
        os.umask(before)
