"""Devices by name, with the numbers of their makers' public data sheets.

Always: memory is in bytes (10**9, not 2**30), rates are in operations and bytes per second, without sparsity. A link's rate is what one
device sends in one direction.

    >>> list(DEVICES)[:3], DEVICES["h100"].memory // GB
    (['b200', 'h200', 'h100'], 80)
"""

from __future__ import annotations

from netc.dsl.record import Record

GB, TB, TFLOPS = 10**9, 10**12, 10**12


class Device(Record):
    """`flops` are by element type. `link` connects the `together` devices of one machine; `network` connects machines."""

    name: str
    memory: float
    flops: dict[str, float]
    bandwidth: float
    link: float
    together: int
    network: float
    source: str


def _make_rates(tensor: float, single: float) -> dict[str, float]:
    """Make the rates of a device with matrix units for 16-bit types: `tensor` TFLOPS for these, `single` for float32."""
    return {"bfloat16": tensor * TFLOPS, "float16": tensor * TFLOPS, "float32": single * TFLOPS}


_TABLE = (
    Device("b200", 180 * GB, _make_rates(2250, 75), 8 * TB, 900 * GB, 8, 50 * GB, "NVIDIA DGX B200 data sheet"),
    Device(
        "h200", 141 * GB, _make_rates(989.5, 67), 4.8 * TB, 450 * GB, 8, 50 * GB, "NVIDIA H200 Tensor Core GPU data sheet, SXM; DGX H200"
    ),
    Device(
        "h100", 80 * GB, _make_rates(989.5, 67), 3.35 * TB, 450 * GB, 8, 50 * GB, "NVIDIA H100 Tensor Core GPU data sheet, SXM; DGX H100"
    ),
    Device("h100-pcie", 80 * GB, _make_rates(756, 51), 2 * TB, 64 * GB, 1, 50 * GB, "NVIDIA H100 Tensor Core GPU data sheet, PCIe"),
    Device("a100", 80 * GB, _make_rates(312, 19.5), 2.039 * TB, 300 * GB, 8, 25 * GB, "NVIDIA A100 data sheet, 80GB SXM; DGX A100"),
    Device("a100-40gb", 40 * GB, _make_rates(312, 19.5), 1.555 * TB, 300 * GB, 8, 25 * GB, "NVIDIA A100 data sheet, 40GB SXM; DGX A100"),
    Device("l40s", 48 * GB, _make_rates(362.05, 91.6), 864 * GB, 32 * GB, 1, 25 * GB, "NVIDIA L40S data sheet"),
    Device("l4", 24 * GB, _make_rates(121, 30.3), 300 * GB, 32 * GB, 1, 12.5 * GB, "NVIDIA L4 data sheet"),
    Device("a10", 24 * GB, _make_rates(125, 31.2), 600 * GB, 32 * GB, 1, 12.5 * GB, "NVIDIA A10 data sheet"),
    Device(
        "v100",
        32 * GB,
        {"float16": 125 * TFLOPS, "float32": 15.7 * TFLOPS},
        900 * GB,
        150 * GB,
        8,
        12.5 * GB,
        "NVIDIA V100 data sheet, SXM2",
    ),
    Device("t4", 16 * GB, {"float16": 65 * TFLOPS, "float32": 8.1 * TFLOPS}, 300 * GB, 16 * GB, 1, 12.5 * GB, "NVIDIA T4 data sheet"),
    Device("mi300x", 192 * GB, _make_rates(1307.4, 163.4), 5.3 * TB, 448 * GB, 8, 50 * GB, "AMD Instinct MI300X data sheet"),
)
DEVICES = {device.name: device for device in _TABLE}
"""All devices by name. The network is the one of the maker's own machine, or a common one for a card that is sold alone."""
