"""``streamlit run`` with background jobs that are forks of a warm process.

python -m tests.warm_server SOCKET run app.py ...
"""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from streamlit.web import cli

from deconv_dashboard.queue import queue
from tests.warm import Warm

if __name__ == "__main__":
    warm = Warm(Path(sys.argv.pop(1)))
    queue.subprocess = SimpleNamespace(**{**vars(subprocess), "Popen": warm.popen})
    cli.main(prog_name="streamlit")
