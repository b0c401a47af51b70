# SPDX-License-Identifier: GPL-3.0-or-later
r"""Makes the moving picture of the README from the frames of a take: every second frame, as animated WebP.

    .venv/bin/python -m server.cli animate --source demo/astronaut.png --audio demo/voice.wav \
        --idle 1 --size 320 --out out/talking \
        --emotion "0:neutral,2:neutral,2.8:happy:0.7,4.2:happy:0.5,5.2:surprised"
    .venv/bin/python tools/make_moving_picture.py out/talking docs/images/talking.webp
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

RATE = 25  # frames a second of a take that `edtalk animate` makes
STEP = 2


def main() -> None:
    """Read the frames, write the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("take", type=Path, help="folder with the frames")
    parser.add_argument("out", type=Path)
    parser.add_argument("--quality", type=int, default=70)
    options = parser.parse_args()
    files = sorted(options.take.glob("*.[0-9]*.png"))[::STEP]
    if not files:
        parser.error(f"{options.take} has no frames")
    first, *others = (Image.open(file).convert("RGB") for file in files)
    first.save(
        options.out,
        save_all=True,
        append_images=others,
        duration=1000 * STEP // RATE,
        loop=0,
        quality=options.quality,
        method=6,
    )
    print(f"{options.out}: {len(files)} frames, {options.out.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
