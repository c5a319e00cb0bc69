"""Run the command line with the Python of another environment, which lacks this package.

The package is taken from where this file lies, so neither an installation in that environment nor
``PYTHONPATH`` is needed: the latter would also bring the packages of the environment it points to.
"""

import importlib.util
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def main() -> int:
    """Load the package around this file and run the words of the command line."""
    # The folder of a script heads the search path, where modules such as `events` would be found.
    sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != PACKAGE / "sorting"]
    specification = importlib.util.spec_from_file_location(
        "brainalign", PACKAGE / "__init__.py", submodule_search_locations=[str(PACKAGE)]
    )
    if specification is None or specification.loader is None:
        raise ImportError(f"no package at {PACKAGE}")
    package = importlib.util.module_from_spec(specification)
    sys.modules["brainalign"] = package
    specification.loader.exec_module(package)
    from brainalign.cli import main as run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
