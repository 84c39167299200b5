"""Prints the resampled grids that sensorium-vision's test of `resample_grid` compares with.

    pip install -r tools/parity/requirements.txt
    python tools/parity/vision/grid_positions.py

The table is a formula, so that the test makes the same: place i of a 3 x 4 grid holds ((i * 7) % 12) / 4 - 1.
"""

import torch

ROWS, COLUMNS = 3, 4
SIZES = [(2, 2), (5, 3), (4, 7)]

table = torch.tensor([((i * 7) % 12) / 4 - 1 for i in range(ROWS * COLUMNS)])
for antialias in (False, True):
    for size in SIZES:
        grid = torch.nn.functional.interpolate(
            table.reshape(1, 1, ROWS, COLUMNS),
            size=size,
            mode="bicubic",
            align_corners=False,
            antialias=antialias,
        )
        values = ", ".join(str(round(v, 6)) for v in grid.flatten().tolist())
        print(f"antialias={antialias} {size}: [{values}]")
