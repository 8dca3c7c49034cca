"""Any tree of Python packages is read: cycles, namespaces, a `src` folder, names that this process has too."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from resources.errors import TerminalError
from resources.settings import Settings
from resources.sources import Request, code
from resources.sources.batches import Batch
from resources.sources.catalogue import table

TREE = {
    "shop/__init__.py": "",
    "shop/cart.py": "from shop import money\nimport os, json\n",
    "shop/money.py": "def late():\n    import shop.cart\n",
    "shop/assets/picture.py": "import shop.money\n",
    "resources/__init__.py": "from shop import cart\n",
    "acme/billing/__init__.py": "import resources\n",
    "acme/billing/bills.py": "from . import lines\nfrom acme.tools import text\n",
    "acme/billing/lines.py": "",
    "acme/tools/__init__.py": "",
    "acme/tools/text.py": "",
    "src/core/__init__.py": "import shop\n",
    "src/core/ñandú.py": "from core import *\n",
    "tests/__init__.py": "import shop\n",
    "node_modules/gyp/__init__.py": "import shop\n",
    "env/pyvenv.cfg": "",
    "env/lib/other/__init__.py": "import shop\n",
    "docs/conf.py": "import shop\n",
    "setup.py": "import shop\n",
}


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    for name, text in TREE.items():
        write(tmp_path, name, text)
    return replace(Settings.from_env({}), code_root=tmp_path)


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def read(here: Settings) -> Batch:
    (batch,) = code.read(here, table("sonik.code_modules"), Request())
    return batch


def imports(here: Settings) -> dict[str, list[str]]:
    records: list[dict[str, Any]] = [json.loads(payload) for payload in read(here).rows["payload"]]
    return {record["id"]: record["imports"] for record in records}


def test_modules_and_what_they_import_of_the_tree(here: Settings) -> None:
    assert imports(here) == {
        "acme": [],
        "acme.billing": ["resources"],
        "acme.billing.bills": ["acme.billing.lines", "acme.tools.text"],
        "acme.billing.lines": [],
        "acme.tools": [],
        "acme.tools.text": [],
        "core": ["shop"],
        "core.ñandú": ["core"],
        "resources": ["shop.cart"],
        "shop": [],
        "shop.cart": ["shop.money"],
        "shop.money": ["shop.cart"],
    }


def test_a_change_is_seen_where_the_file_keeps_its_time(here: Settings) -> None:
    import os

    file = here.code_root / "shop/cart.py"
    before, at = imports(here), file.stat()
    file.write_text("import core\n")
    os.utime(file, ns=(at.st_atime_ns, at.st_mtime_ns))
    assert imports(here) == before | {"shop.cart": ["core"]}


def test_a_file_that_is_no_python_is_a_dead_letter(here: Settings) -> None:
    write(here.code_root, "shop/broken.py", "def (:\n")
    rows = read(here).rows
    assert rows["record_id"].to_list() == [None]
    assert rows["reason"].to_list() == ["the code tree cannot be read"]
    assert "broken.py" in rows["payload"][0]


def test_no_code_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "docs/conf.py", "")
    with pytest.raises(TerminalError, match="set SONIK_CODE_ROOT"):
        read(replace(Settings.from_env({}), code_root=tmp_path))
