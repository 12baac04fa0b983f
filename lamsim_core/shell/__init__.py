"""The product from the shell: ``python -m lamsim_core COMMAND``. Each module holds the commands of one subject."""
