"""A model that is served: from the content of a request to its predictions or outputs.

In: the rows, images or tensors of a request. Out: predicted rows, or tensors. Always: a request is read before it waits for the model, so a
mistake in it concerns no other request. What cannot be predicted is a `RequestRefused` that says which field is wrong and what was
expected, in the words of `netc predict`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
from starlette.concurrency import run_in_threadpool

from netc.compiler.errors.data_errors import CannotReadData

from ..prediction.prediction_files import list_json
from ..prediction.predictor import Predictor
from ..prediction.unfit_data import UnfitData
from ..training.data.data_source import DataError
from .batch_independence import find_batch_obstacle
from .completions import Completions
from .inference_queue import Arrays, InferenceQueue
from .json_arrays import read_json
from .open_inference import InferRequest, read_infer_request, split_body, write_infer_response
from .plain_rows import PlainRows
from .request_refused import UNFIT, RequestRefused
from .request_rows import check_count, list_rows, make_image_source, make_rows_source
from .server_metrics import ServerMetrics
from .server_options import ServerOptions

T = TypeVar("T")
_SMALL = 1 << 14
"""The most bytes of a body that is read in the event loop. Larger ones take so long that other requests would wait."""
_REQUEST = "the request"
"""The name of the data in messages."""


class ServedModel:
    """A model with the requests that wait for it. `obstacle` says why requests do not share runs; it is empty if they do."""

    def __init__(self, predictor: Predictor, name: str, options: ServerOptions) -> None:
        self.predictor, self.name, self.options = predictor, name, options
        self.obstacle = find_batch_obstacle(predictor.session) if options.max_batch > 1 else "the largest batch is 1"
        self.metrics = ServerMetrics(name, lambda: len(self.queue))
        self.queue = InferenceQueue(options.max_batch, options.max_wait, options.max_queue, options.timeout, self.metrics.observe_run)
        generator = predictor.find_generator()
        self.completions = None if generator is None else Completions(generator, name, options.max_queue, options.timeout)
        self._plain_rows = PlainRows(predictor)
        self._predict, self._infer = predictor.compute_outputs, predictor.run_session

    async def close(self) -> None:
        """Stop, after the run and the text in progress."""
        await self.queue.close()
        if self.completions is not None:
            self.completions.close()

    async def predict_rows(self, body: bytes) -> Any:
        """Predict JSON rows. Return a row for an object, and a list of rows for a list. Raises `RequestRefused`."""
        is_single, arrays, count = await _call(len(body), self._read_rows, body)
        rows = await self._predict_arrays(arrays, count)
        return rows[0] if is_single else rows

    async def predict_images(self, images: Sequence[tuple[str, bytes]]) -> list[dict[str, Any]]:
        """Predict image files, each with its name for messages. Raises `RequestRefused`."""
        if not images:
            raise RequestRefused(UNFIT, "the form has no files")
        check_count(len(images), self.options.max_rows)
        arrays, count = await run_in_threadpool(self._open_samples, lambda: make_image_source(images, self.predictor))
        return await self._predict_arrays(arrays, count)

    async def infer(self, body: bytes, header_length: str | None) -> tuple[bytes, int | None]:
        """Answer a request of the Open Inference Protocol: the body, and the length of its JSON part if bytes follow it. Raises
        `RequestRefused`."""
        session = self.predictor.session
        text, binary = split_body(body, header_length)
        request = await _call(len(text), read_infer_request, text, binary, session.inputs, session.outputs)
        counts = {array.shape[:1] for array in request.arrays.values()}
        count = next(iter(counts))[0] if len(counts) == 1 and () not in counts else 1
        check_count(count, self.options.max_rows)
        results = await self._compute(self._infer, request.arrays, count)
        return await _call(sum(array.nbytes for array in results.values()), self._write_response, request, results)

    def _write_response(self, request: InferRequest, results: Arrays) -> tuple[bytes, int | None]:
        return write_infer_response(self.name, request, results, self.predictor.session.outputs)

    async def _predict_arrays(self, arrays: Arrays, count: int) -> list[dict[str, Any]]:
        outputs = await self._compute(self._predict, arrays, count)
        return await _call(sum(array.nbytes for array in outputs.values()), self._make_rows, outputs)

    async def _compute(self, run: Callable[[Arrays], Arrays], arrays: Arrays, count: int) -> Arrays:
        size = self.predictor.fixed_batch if run is self._predict else None
        try:
            if size is not None and count > size:  # a model with a fixed batch computes this many samples at once
                parts = [await self._compute(run, _slice(arrays, i, i + size), min(size, count - i)) for i in range(0, count, size)]
                return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            return await self.queue.compute(run, arrays, count, may_join=not self.obstacle)
        except ValueError as error:  # a size or a value that the model does not take
            raise RequestRefused(UNFIT, str(error)) from None

    def _read_rows(self, body: bytes) -> tuple[bool, Arrays, int]:
        content = read_json(body)
        rows = list_rows(content, self.options.max_rows)
        arrays = self._plain_rows.read(rows)
        opened = (arrays, len(rows)) if arrays is not None else self._open_samples(lambda: make_rows_source(rows, self.predictor))
        return (isinstance(content, dict), *opened)

    def _open_samples(self, make: Callable[[], Any]) -> tuple[Arrays, int]:
        try:
            source = make()
            columns = self.predictor.open_columns(source, _REQUEST)
            return columns.read_batch(np.arange(len(columns))), len(columns)
        except UnfitData as unfit:
            raise RequestRefused(UNFIT, str(unfit), unfit.problems) from None
        except DataError as error:
            problem = error.problem or CannotReadData(_REQUEST, str(error), error.remedy)
            raise RequestRefused(UNFIT, problem.format_message(), (problem,)) from None

    def _make_rows(self, outputs: Arrays) -> list[dict[str, Any]]:
        columns = self.predictor.make_predictions(outputs).columns
        lists = [list_json(values) for values in columns.values()]
        return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


def _slice(arrays: Arrays, start: int, stop: int) -> Arrays:
    return {name: array[start:stop] for name, array in arrays.items()}


async def _call(size: int, function: Callable[..., T], *arguments: Any) -> T:
    """Call a function that works on this many bytes: large ones in a thread, so that the event loop goes on."""
    return await run_in_threadpool(partial(function, *arguments)) if size > _SMALL else function(*arguments)
