"""Typesetting 排版 in a process of its own, so that neither its memory nor its time is that of whoever asks.

The process reads its work from standard input and writes the PDF to standard output. It sees the template and what it was handed, and
neither files nor the network.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import gridmgmt
from gridmgmt.errors import BusyError

LONGEST: Final = 60.0
"""Seconds for one document."""
FAMILY: Final = "Noto Sans CJK SC"
STANDARDS: Final = ("a-2a", "ua-1")
"""PDF/A-2a, for archives, and PDF/UA-1, for those who listen."""
NO_FONT: Final = 3


class TypesettingError(Exception):
    """The document could not be made; what the process said."""


def typeset(template: str, content: Mapping[str, Any]) -> bytes:
    """The PDF of a template of this folder, the same bytes for the same content. `content` is what JSON can say.

    Raises BusyError when it takes too long or no Chinese font is installed, TypesettingError when the template fails.
    """
    work = json.dumps({"template": str(Path(__file__).with_name(template)), "content": content}, ensure_ascii=False).encode()
    # it finds the modules that this process has, wherever they are and whatever folder either was started in
    places = (str(Path(gridmgmt.__file__).parents[1]), *(place for place in sys.path if place))
    environment = {"PYTHONPATH": os.pathsep.join(places), "MALLOC_ARENA_MAX": "1", "HOME": "/nonexistent"}
    program = (sys.executable, "-P", "-m", __name__)
    try:
        done = subprocess.run(program, input=work, capture_output=True, timeout=LONGEST, env=environment, check=False)
    except subprocess.TimeoutExpired:
        raise BusyError("the document takes too long; try again later") from None
    if done.returncode == NO_FONT:
        raise BusyError(f"no document can be set here: the font {FAMILY} is missing (Debian's package fonts-noto-cjk)")
    if done.returncode:
        raise TypesettingError(done.stderr.decode(errors="replace")[-2000:])
    return done.stdout


def main() -> int:
    """Typeset what standard input tells of; 0, or 3 when the font is missing."""
    import typst  # noqa: PLC0415  # 50 MB that only this process needs

    work = json.load(sys.stdin)
    fonts = typst.Fonts()
    if FAMILY not in fonts.families():
        return NO_FONT
    template = Path(work["template"])
    made = typst.compile(
        template.read_bytes(),
        font_paths=fonts,
        root=os.devnull,  # pyright: ignore[reportArgumentType]  # a path, whatever its stub says
        sys_inputs={"content": json.dumps(work["content"], ensure_ascii=False)},
        pdf_standards=list(STANDARDS),
    )
    sys.stdout.buffer.write(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
