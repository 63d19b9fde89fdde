"""`netc serve`: answer HTTP requests with the predictions of a trained model.

For example, `netc serve RUN` answers `POST /predict` with the predictions of the rows in the request.
"""

from __future__ import annotations

import ipaddress
import os
from typing import TYPE_CHECKING

import click

from .command_failure import CommandFailed
from .completion import FileName
from .model_names import MODEL_NAME, choose_model_name
from .shared_options import device_option
from .terminal import write_note, write_status

if TYPE_CHECKING:
    from ..prediction.predictor import Predictor
    from ..serving.server_options import ServerOptions

_MODULES = ("starlette", "uvicorn", "prometheus_client", "python_multipart")


@click.command("serve")
@click.argument("run", type=FileName())
@click.option("--host", default="127.0.0.1", show_default=True, help="Listen at this address; 0.0.0.0 is all of this machine.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Listen at this port; 0 takes a free one.")
@click.option("--name", metavar="NAME", help="Name of the model in `/v2/models/NAME`. [default: the name of RUN]")
@click.option(
    "--max-batch", type=click.IntRange(1), default=64, show_default=True, metavar="N", help="Most samples in one run of the model."
)
@click.option(
    "--max-wait",
    type=click.FloatRange(0, 60_000),
    default=0.0,
    show_default=True,
    metavar="MS",
    help="Wait this many milliseconds for other requests to fill a batch.",
)
@click.option("--max-rows", type=click.IntRange(1), default=1024, show_default=True, metavar="N", help="Most rows of a request.")
@click.option("--max-body", type=click.IntRange(1), default=16, show_default=True, metavar="MB", help="Most megabytes of a request.")
@click.option("--max-queue", type=click.IntRange(1), default=256, show_default=True, metavar="N", help="Most requests that wait.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, 86_400, min_open=True),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="Refuse a request that is not answered by then.",
)
@device_option("Device to run on.")
def command(
    run: str,
    host: str,
    port: int,
    name: str | None,
    max_batch: int,
    max_wait: float,
    max_rows: int,
    max_body: int,
    max_queue: int,
    timeout: float,
    device: str,
) -> None:
    """RUN is the folder of a training run, or an ONNX file that `netc compile` wrote from one.

    Send rows to /predict: `curl --json '{"width": 5.1}' localhost:8000/predict`. The page /docs shows the columns of the model.
    """
    chosen = _choose_name(run, name)
    _require_packages()
    from ..prediction.load_predictor import load
    from ..serving.run_server import CannotListen, open_listener
    from ..serving.server_options import ServerOptions
    from .runnable import check_device, start_session

    check_device(device)
    try:
        listener = open_listener(host, port)  # before the model is loaded, which may take long
    except CannotListen as error:
        raise CommandFailed(str(error), "choose another port: `--port 0` takes a free one") from None
    with listener:
        predictor = start_session(lambda: load(run, device), f"`{run}`")
        options = ServerOptions(max_batch, max_wait, max_rows, max_body << 20, max_queue, timeout)
        _serve(predictor, chosen, options, host, listener)


def _serve(predictor: Predictor, name: str, options: ServerOptions, host: str, listener: object) -> None:
    import socket

    from ..serving.run_server import format_address, run_server
    from ..serving.served_model import ServedModel

    assert isinstance(listener, socket.socket)
    model = ServedModel(predictor, name, options)
    if model.obstacle and options.max_batch > 1:
        write_note(f"each request runs alone, because {model.obstacle}")
    if not _is_loopback(host):
        write_note("everybody who reaches this address can use the model: there is no password")
    address = format_address(host, listener.getsockname()[1])
    run_server(model, listener, lambda: write_status(f"serving `{name}` at {address}, and its documentation at {address}/docs"))
    write_status("stopped: all requests are answered")


def _choose_name(run: str, name: str | None) -> str:
    if name is not None:
        if not MODEL_NAME.fullmatch(name):
            raise click.UsageError(f"`{name}` is not a name for a model: letters, digits, `.`, `_` and `-`")
        return name
    return choose_model_name(os.path.splitext(os.path.basename(os.path.abspath(run)))[0])


def _require_packages() -> None:
    """Fail if the packages of the extra `serve` are not installed."""
    from importlib.util import find_spec

    from netc.compiler.errors.optional_packages import format_install_command

    missing = [module for module in _MODULES if find_spec(module) is None]
    if missing:
        raise CommandFailed(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed", f"run `{format_install_command(*_MODULES)}`"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
