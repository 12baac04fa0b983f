"""The product from the shell: ``python -m lamsim_core COMMAND``."""

import sys

if __name__ == "__main__":
    from lamsim_core.shell.output import seal_stdout
    from lamsim_core.shell.program import main

    code = main(sys.argv[1:])
    seal_stdout()
    sys.exit(code)
