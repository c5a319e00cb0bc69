"""Run the command line as a module, as launchers of several processes do."""

import sys

from brainalign.cli import main

sys.exit(main())
