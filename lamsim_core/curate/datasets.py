"""Dataset versions: freeze one, list and read them, hand them on. The face of this package for everybody else."""

from lamsim_core.curate.export import FORMS, Form, export, export_lines
from lamsim_core.curate.folder import Listing, dataset_folder, find_dataset, get_dataset, list_datasets, load_rows
from lamsim_core.curate.freezing import freeze

__all__ = [
    "FORMS",
    "Form",
    "Listing",
    "dataset_folder",
    "export",
    "export_lines",
    "find_dataset",
    "freeze",
    "get_dataset",
    "list_datasets",
    "load_rows",
]
