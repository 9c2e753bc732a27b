"""Writes the index page of a folder of wheels, with their checksums."""

import hashlib
import html
import pathlib
import sys

root = pathlib.Path(sys.argv[1])
rows = []
for wheel in sorted(root.glob("*/*.whl")):
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    name = html.escape(str(wheel.relative_to(root)))
    rows.append(f'<li><a href="{name}#sha256={digest}">{html.escape(wheel.name)}</a> <code>{digest}</code></li>')
page = "<!doctype html>\n<meta charset=utf-8>\n<title>Packages</title>\n<h1>Packages</h1>\n<ul>\n"
(root / "index.html").write_text(page + "\n".join(rows) + "\n</ul>\n")
